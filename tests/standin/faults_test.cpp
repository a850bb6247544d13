#include <torch/torch.h>

#include <limits>

#include "modules/execute/float_executor.h"
#include "modules/language/placeholders.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"
#include "tests/support/standin_device.h"

using namespace dualpath;
using namespace dualpath::testing;
using modules::Modality;
using torch::Tensor;

namespace {

constexpr modules::Placeholder kPicture{Modality::kImage, /*token_id=*/5};

/// Two texts with three placeholders, and pictures whose masks say which states are real.
modules::PlaceholderOperands operands(std::vector<bool> real, at::Device device) {
  const auto count = static_cast<std::int64_t>(real.size());
  Tensor mask = torch::empty({1, count}, at::kBool);
  for (std::int64_t i = 0; i < count; ++i)
    mask[0][i] = static_cast<bool>(real[static_cast<std::size_t>(i)]);
  const Tensor ids = torch::tensor({{1, 5, 5, 2}, {5, 3, 0, 5}}, at::kLong);
  const Tensor is_text = torch::tensor({{1, 1, 1, 1}, {1, 1, 1, 0}}).to(at::kBool);
  return {
      .hidden = torch::arange(16.0f).view({2, 4, 2}).to(device),
      .ids = ids.to(device),
      .mask = is_text.to(device),
      .kinds = {},
      .tower_hidden =
          (torch::arange(2.0f * static_cast<float>(count)).view({1, count, 2}) + 100).to(device),
      .tower_mask = mask.to(device)};
}

}  // namespace

TEST_CASE("placeholders are filled on the stand-in device as on the CPU", "[standin][faults]") {
  const std::vector<bool> real =
      GENERATE(std::vector{true, true, true}, std::vector{false, true, true, false, true});
  const auto here = modules::filled(kPicture, operands(real, at::kCPU)),
             there = modules::filled(kPicture, operands(real, standin_device()));
  CHECK(there.hidden.cpu().equal(here.hidden));
  CHECK(there.kinds.cpu().equal(here.kinds));
}

TEST_CASE("a number of placeholders that pictures do not fill is an error on a device, too",
          "[standin][faults]") {
  const auto message = [](std::vector<bool> real) {
    return error_message([&] { modules::filled(kPicture, operands(real, standin_device())); });
  };
  CHECK(message({true, true, false}) ==
        "the texts have 1 more image tokens (id 5) than their images make");
  CHECK(message({true, true, true, true, true}) ==
        "the texts have 2 fewer image tokens (id 5) than their images make");
}

TEST_CASE("a weight that is not finite is named alike on a device", "[standin][faults]") {
  const float broken =
      GENERATE(std::numeric_limits<float>::infinity(), 1e6f);  // 1e6 is in no float16
  const auto store = std::make_shared<MemoryStore>(
      modules::NamedTensors{{"a.weight", torch::tensor({1.0f, broken})}});
  const auto message = [&](at::Device device) {
    modules::ComputeWeights weights(store, at::dtype(at::kHalf).device(device));
    return error_message([&] { weights.get("a.weight"); });
  };
  CHECK(message(at::kCPU).starts_with("a.weight: 1 of 2 values are not finite in "));
  CHECK(message(standin_device()) == message(at::kCPU));
}
