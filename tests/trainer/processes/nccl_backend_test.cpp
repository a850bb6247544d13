#include <torch/cuda.h>
#include <torch/utils.h>

#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "has_cuda.h"
#include "tests/support/catch.h"
#include "trainer/processes/backends.h"

using namespace dualpath;
using torch::Tensor;

TEST_CASE("NCCL sums, reduces and spreads a GPU's tensors in a group of one",
          "[trainer][processes][cuda]") {
  if (!kHasCuda || !torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  if constexpr (kHasCuda) {
    const auto nccl = trainer::nccl_backend(c10::make_intrusive<c10d::HashStore>(), /*rank=*/0,
                                            /*size=*/1, std::chrono::seconds(60));
    const Tensor values = torch::arange(5.0f);
    std::vector<Tensor> one{values.cuda()};
    nccl->allreduce(one)->wait();
    nccl->reduce(one, c10d::ReduceOptions{.rootRank = 0})->wait();
    nccl->broadcast(one, c10d::BroadcastOptions{.rootRank = 0})->wait();
    CHECK(one.front().cpu().equal(values));
  }
}
