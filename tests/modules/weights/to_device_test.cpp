#include "modules/weights/to_device.h"

#include <torch/utils.h>

#include "tests/support/catch.h"
#include "tests/support/device.h"

using namespace dualpath::modules;
using namespace dualpath::testing;
using torch::Tensor;

TEST_CASE("chunks of any size bring a tensor's bytes to a device", "[modules][weights][cuda]") {
  torch::manual_seed(3);
  const torch::ScalarType dtype =
      GENERATE(torch::kBFloat16, torch::kFloat, torch::kChar, torch::kLong, torch::kBool);
  const Tensor from = (torch::randn({7, 13}) * 3).to(dtype);
  const auto bytes = static_cast<std::int64_t>(from.nbytes());
  const std::int64_t chunk = GENERATE_COPY(std::int64_t{1}, 17, bytes - 1, bytes, bytes + 1);
  for (const at::Device device : devices()) {
    const Tensor to = torch::zeros({7, 13}, torch::dtype(dtype).device(device));
    copy_by_chunks(from, to, chunk);
    CHECK(to.cpu().equal(from));
  }
}

TEST_CASE("a tensor without elements, or without dimensions, goes to a device",
          "[modules][weights][cuda]") {
  for (const at::Device device : devices()) {
    const Tensor none = torch::empty({0, 4}), one = torch::tensor(2.5);
    const Tensor to = torch::empty({0, 4}, device), target = torch::zeros({}, device);
    copy_by_chunks(none, to, 8);
    copy_by_chunks(one, target, 3);
    CHECK(target.item<float>() == 2.5f);
    CHECK(to_device(none, device).sizes() == none.sizes());
    CHECK(to_device(one, device).item<float>() == 2.5f);
  }
}

TEST_CASE("a tensor with gaps goes to a device as its values, without its history",
          "[modules][weights][cuda]") {
  const Tensor x = torch::arange(12.0).view({3, 4}).t();
  for (const at::Device device : devices()) {
    const Tensor there = to_device(x, device);
    CHECK(there.device() == device);
    CHECK(there.cpu().equal(x));
    CHECK(to_device(there, device).is_same(there));
  }
}
