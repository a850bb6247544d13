#include "modules/network/batch_state.h"

#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::modules;

TEST_CASE("a batch's state lies on the device that is asked for, grids of patches apart",
          "[modules][state]") {
  data::Batch batch;
  batch.ids = torch::tensor({{5, 6, 7}}, at::kLong);
  batch.mask = at::ones({1, 3}, at::kBool);
  batch.images = data::TowerBatch{torch::zeros({1, 4, 2}), at::ones({1, 4}, at::kBool),
                                  torch::tensor({{2, 2}}, at::kLong)};
  // A device without memory stands for any.
  const at::Device device = GENERATE(at::Device(at::kCPU), at::Device(at::kMeta));
  const State state = make_state(batch, device);
  const Stream& images = state.stream(Modality::kImage);
  for (const at::Tensor& tensor :
       {state.ids, state.mask, state.positions, images.input, images.mask})
    CHECK(tensor.device() == device);
  CHECK(images.grid.is_cpu());
}
