#include "quant/ops/quantized_conv.h"

#include <torch/torch.h>

#include "quant/calibrate/calibration.h"
#include "quant/execute/quantized_executor.h"
#include "quant/ops/integer_sums.h"
#include "quant/ops/quantize.h"
#include "quant/plan/plan.h"
#include "quant/plan/planner.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

const modules::ConvRef kFull{"conv", 96, 8, {3, 5}, {2, 1}, {1, 2}, /*groups=*/1, /*bias=*/true};
const modules::ConvRef kDepthwise{"conv", 12, 12, {7}, {1}, {3}, /*groups=*/12, /*bias=*/true};

/// A stage that only convolves.
modules::Network network_of(const modules::ConvRef& ref, std::vector<std::int64_t> input) {
  modules::Network network;
  network.tower_samples[modules::Modality::kImage].input =
      modules::input_without_data(std::move(input));
  network.stages.push_back({"tower", /*correctable=*/true,
                            [ref](modules::Executor& executor, modules::State& state) {
                              modules::Stream& stream = state.stream(modules::Modality::kImage);
                              stream.hidden = executor.conv(ref, stream.input);
                            },
                            modules::Modality::kImage});
  return network;
}

std::shared_ptr<const modules::WeightStore> random_weights(const modules::ConvRef& ref) {
  return std::make_shared<MemoryStore>(
      modules::NamedTensors{{ref.weight_name(), torch::randn(ref.weight_shape())},
                            {ref.bias_name(), torch::randn({ref.out_channels})}});
}

QuantizeOptions options_for(const std::string& target) {
  QuantizeOptions options;
  options.config_groups = {{.name = "convs", .targets = {target}}};
  options.ignore.clear();
  return options;
}

Plan plan_of(const modules::Network& network, const std::string& target) {
  return make_plan(modules::structure_of(network), options_for(target));
}

/// Convolves by im2col, int32 sums, and the law's scaling.
Tensor in_integers(const Tensor& x, float scale, const GridWeight& weight, const Tensor& bias,
                   const modules::ConvRef& ref) {
  const Tensor codes =
      quantize(x.reshape({1, -1}), activation_grid(scale), "x").values.view(x.sizes());
  const Tensor columns = at::im2col(codes.to(torch::kFloat), ref.kernel, {1, 1}, ref.padding,
                                    ref.stride);  // [B, K, positions]
  const Tensor rows = columns.transpose(1, 2).reshape({-1, columns.size(1)}).to(torch::kChar);
  const Tensor sums = integer_sums(rows.contiguous(), weight.codes);
  const Tensor y = scale_sums(sums.contiguous(), scale, weight.scale, bias, torch::kFloat);
  return y.view({x.size(0), columns.size(2), -1}).transpose(1, 2);
}

modules::State with_input(const Tensor& x) {
  modules::State state;
  state.towers[modules::Modality::kImage].input = x;
  return state;
}

}  // namespace

TEST_CASE("a quantized convolution gives the bits of integer sums", "[quant][conv]") {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const Tensor x = torch::randn({2, 96, 9, 11});  // 96 * 15 products: too many for float32
  const GridWeight weight =
      quantize_weight(torch::randn(kFull.weight_shape()).flatten(1), "conv.weight");
  const Tensor bias = torch::randn({8});
  const Tensor y = quantized_conv(x, torch::full({1}, 0.03f), weight, bias, kFull, "conv.input");
  CHECK(y.flatten(2).equal(in_integers(x, 0.03f, weight, bias, kFull)));
}

TEST_CASE("a depthwise convolution is quantized where it is named, and by no class",
          "[quant][conv]") {
  torch::manual_seed(4);
  const modules::Network network = network_of(kDepthwise, {1, 12, 20});
  CHECK(error_message([&] { plan_of(network, "Conv1d"); }) ==
        "quantize.config_groups.convs.targets[0]: \"Conv1d\" matches no linear; nearest: conv");
  const Plan plan = plan_of(network, "conv");
  REQUIRE(plan.convs.size() == 1);
  CHECK(plan.convs.front().group == "conv.input");
  REQUIRE(plan.stages.size() == 1);
  CHECK(plan.stages.front().name == "tower");
  const auto weights = random_weights(kDepthwise);
  const std::vector<modules::State> samples{with_input(torch::randn({1, 12, 20}))};
  const ActivationScales scales =
      calibrate(network, weights, torch::kFloat, plan, samples, [] {}).scales();
  QuantizedExecutor quantized(weights, torch::kFloat, plan, scales);
  modules::FloatExecutor exact(weights, torch::kFloat);
  const Tensor &x = samples.front().stream(modules::Modality::kImage).input,
               y = exact.conv(kDepthwise, x), z = quantized.conv(kDepthwise, x);
  CHECK_FALSE(y.equal(z));
  const double error = ((y - z).square().mean() / y.square().mean()).item<double>();
  CHECK(error < 1e-3);
}

TEST_CASE("a gradient passes a quantized convolution where its input is in range",
          "[quant][conv]") {
  torch::manual_seed(5);
  Tensor x = torch::randn({1, 12, 20});
  x[0][0][0] = 100.0f;
  x.requires_grad_();
  const GridWeight weight =
      quantize_weight(torch::randn(kDepthwise.weight_shape()).flatten(1), "conv.weight");
  const Tensor y =
      quantized_conv(x, torch::full({1}, 0.05f), weight, /*bias=*/{}, kDepthwise, "conv.input");
  y.sum().backward();
  const Tensor values = weight.dequantized(torch::kFloat).view(kDepthwise.weight_shape());
  Tensor plain = x.detach().clone().requires_grad_();
  at::conv1d(plain, values, {}, {1}, at::IntArrayRef{3}, {1}, 12).sum().backward();
  CHECK(x.grad()[0][0][0].item<float>() == 0.0f);
  CHECK(at::allclose(x.grad().narrow(2, 1, 19), plain.grad().narrow(2, 1, 19), 1e-4, 1e-5));
}

TEST_CASE("a convolution is refused schemes that it does not have", "[quant][conv]") {
  const modules::Network network = network_of(kFull, {1, 96, 9, 11});
  QuantizeOptions options = options_for("Conv2d");
  options.config_groups.front().input_activations = kTokenInt8;
  CHECK(error_message([&] { make_plan(modules::structure_of(network), options); }) ==
        "quantize.config_groups.convs: expected 8-bit weights per channel and static inputs, since "
        "conv is a convolution");
}
