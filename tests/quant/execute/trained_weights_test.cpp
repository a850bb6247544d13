#include <torch/autograd.h>
#include <torch/utils.h>

#include "modules/ops/norm.h"
#include "quant/execute/quantized_executor.h"
#include "quant/execute/quantized_linear.h"
#include "tests/quant/hand_made.h"
#include "tests/quant/weights.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/relative_difference.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

constexpr std::int64_t kWidth = 48, kTokens = 6;
constexpr float kScale = 0.02f;  // saturates a part of the inputs
constexpr double kEps = 1e-5;

Tensor leaf(const Tensor& values) { return values.clone().requires_grad_(); }

/// One input with three consumers: q is trained with its bias; k is frozen with its bias; v is
/// trained and has none.
struct Consumers {
  modules::LinearRefs refs{{"q", kWidth, 5, true}, {"k", kWidth, 3, true}, {"v", kWidth, 4, false}};
  modules::NormRef norm{"norm", kWidth, kEps};
  std::shared_ptr<modules::WeightOverlay> weights;
  Plan plan;
  ActivationScales scales{{{"q.input", torch::tensor({kScale})}}};

  explicit Consumers(std::optional<QuantArgs> inputs, const QuantArgs& of_weights = kWeightInt8) {
    modules::NamedTensors store{{"norm.weight", torch::rand(kWidth) + 0.5}};
    for (const modules::LinearRef& ref : refs) {
      store[ref.weight_name()] = torch::randn({ref.out_features, kWidth});
      if (ref.bias) store[ref.bias_name()] = torch::randn(ref.out_features);
      plan.linears.push_back({ref, "stage", "q.input", of_weights, inputs});
    }
    weights = std::make_shared<modules::WeightOverlay>(std::make_shared<MemoryStore>(store));
    for (const char* name : {"q.weight", "q.bias", "v.weight"})
      weights->set(name, leaf(store.at(name)));
  }

  QuantizedExecutor executor(at::ScalarType dtype, Compute compute = Compute::kInteger) const {
    return {weights, dtype, plan, scales, compute};
  }
};

/// Has the values of `quantized` and the gradient of `x`.
Tensor straight_through(const Tensor& x, const Tensor& quantized) {
  return x + (quantized - x).detach();
}

/// A quantized input's values in float32, as autograd sees them.
Tensor fake_quantized(const Tensor& x, bool by_token) {
  if (by_token) {
    const Tensor scale = x.detach().abs().amax(-1, true) / 127.0f;
    return straight_through(x, (x / scale).round() * scale);
  }
  const Tensor level = (x / kScale).round();
  const Tensor passing = x * ((level >= -128.0f) & (level <= 127.0f));
  return straight_through(passing, level.clamp(-128.0f, 127.0f) * kScale);
}

Tensor fake_quantized_weight(const Tensor& weight, const QuantArgs& args = kWeightInt8) {
  const GridWeight on_grid = quantize_weight(weight, "w", args);
  return straight_through(weight, on_grid.dequantized(at::kFloat));
}

/// Gradients of x, q.weight, q.bias and v.weight.
using Gradients = std::vector<Tensor>;

/// slopes: the loss's weights of each y.
Gradients gradients_of(const Consumers& consumers, const Tensor& x, const std::vector<Tensor>& y,
                       const std::vector<Tensor>& slopes) {
  Tensor loss = torch::zeros({});
  for (std::size_t i = 0; i < y.size(); ++i) loss = loss + (y[i].to(at::kFloat) * slopes[i]).sum();
  const auto& trained = consumers.weights->trained();
  return torch::autograd::grad(
      {loss}, {x, trained.at("q.weight"), trained.at("q.bias"), trained.at("v.weight")});
}

/// Few bits, groups, zero points, inputs in float: for weights, then for inputs.
struct Scheme {
  QuantArgs weights;
  std::optional<QuantArgs> inputs;
};

Scheme few_bits(int i) {
  const std::vector<Scheme> schemes{
      {weights_of(4, Strategy::kGroup, 16, true), kInputInt8},
      {weights_of(4, Strategy::kGroup, 16, false), kTokenInt8},
      {weights_of(6, Strategy::kChannel, 0, false), kInputInt8},
      {weights_of(4, Strategy::kChannel, 0, true), kTokenInt8},
      {weights_of(4, Strategy::kGroup, 16, false), std::nullopt},
      {weights_of(3, Strategy::kChannel, 0, true), std::nullopt},
  };
  return schemes.at(static_cast<std::size_t>(i));
}

}  // namespace

TEST_CASE("gradients of trained weights of few bits are a plain simulation's", "[quant][trained]") {
  const Scheme scheme = few_bits(GENERATE(range(0, 6)));
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  INFO(scheme.weights.num_bits << " bits, groups of " << scheme.weights.group_size);
  torch::manual_seed(17);
  const Consumers consumers(scheme.inputs, scheme.weights);
  const Tensor x = leaf(torch::randn({kTokens, kWidth}) * 2.0f);
  std::vector<Tensor> slopes;
  for (const modules::LinearRef& ref : consumers.refs)
    slopes.push_back(torch::randn({kTokens, ref.out_features}));

  QuantizedExecutor executor = consumers.executor(at::kFloat, compute);
  const auto y = executor.linear(consumers.refs, x);
  const Gradients ours = gradients_of(consumers, x, y, slopes);

  const Tensor seen = scheme.inputs ? fake_quantized(x, /*by_token=*/scheme.inputs->dynamic) : x;
  std::vector<Tensor> plain;
  for (const modules::LinearRef& ref : consumers.refs) {
    const auto get = [&](const std::string& name) { return consumers.weights->get(name); };
    plain.push_back(at::linear(seen, fake_quantized_weight(get(ref.weight_name()), scheme.weights),
                               ref.bias ? get(ref.bias_name()) : Tensor()));
  }
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(relative_difference(y[i], plain[i]) < 1e-5);
  const Gradients expected = gradients_of(consumers, x, plain, slopes);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    INFO("gradient " << i);
    CHECK(relative_difference(ours[i], expected[i]) < 1e-5);
  }
}

TEST_CASE("values that floats are multiplied by follow a weight that changes", "[quant][trained]") {
  QuantizedGroup group{.site = "x", .weights = {QuantizedWeight{}}};
  for (const Tensor& source : {torch::tensor({{127.f, -2.f}}), torch::tensor({{-5.f, 127.f}})}) {
    group.set(0, std::make_shared<const GridWeight>(quantize_weight(source, "w")),
              WeightKind::kCodes);
    CHECK(group.values_in(at::kFloat)[0].equal(source));
  }
}

TEST_CASE("gradients of trained weights, biases and their input are a plain simulation's",
          "[quant][trained]") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16);
  const bool by_token = GENERATE(false, true), with_norm = GENERATE(false, true);
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  torch::manual_seed(15);
  const Consumers consumers(by_token ? kTokenInt8 : kInputInt8);
  const Tensor x = leaf((torch::randn({2, kTokens / 2, kWidth}) * 2.0f).to(dtype));
  std::vector<Tensor> slopes;
  for (const modules::LinearRef& ref : consumers.refs)
    slopes.push_back(torch::randn({2, kTokens / 2, ref.out_features}).to(dtype).to(at::kFloat));

  QuantizedExecutor executor = consumers.executor(dtype, compute);
  const auto y = with_norm ? executor.norm_linear(consumers.norm, consumers.refs, x)
                           : executor.linear(consumers.refs, x);
  const Gradients ours = gradients_of(consumers, x, y, slopes);

  const auto get = [&](const std::string& name) { return consumers.weights->get(name); };
  const Tensor input = with_norm ? modules::rms_norm(x, get("norm.weight"), kEps) : x;
  const Tensor seen = fake_quantized(input.to(at::kFloat), by_token);
  std::vector<Tensor> plain;
  for (const modules::LinearRef& ref : consumers.refs) {
    const Tensor bias = ref.bias ? get(ref.bias_name()) : Tensor();
    plain.push_back(at::linear(seen, fake_quantized_weight(get(ref.weight_name())), bias));
  }
  const Gradients expected = gradients_of(consumers, x, plain, slopes);
  const double tolerance = dtype == at::kFloat ? 1e-5 : 1e-2;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    INFO("gradient " << i);
    CHECK(ours[i].scalar_type() == (i == 0 ? dtype : at::kFloat));
    CHECK(ours[i].sizes() == expected[i].sizes());
    CHECK(relative_difference(ours[i], expected[i]) < tolerance);
  }
}

TEST_CASE("a weight's gradient is y's times what the input was quantized to", "[quant][trained]") {
  QuantizedWeight weight = trained_weight(leaf(torch::tensor({{127.f, -2.f, 3.f}})));
  weight.bias = leaf(torch::tensor({0.5f}));
  const auto group =
      std::make_shared<QuantizedGroup>(QuantizedGroup{.site = "x.input", .weights = {weight}});
  const Tensor x = torch::tensor({{1.6f, 70.0f, -0.4f}, {0.0f, 10.0f, 0.2f}});
  const Tensor slopes = torch::tensor({{2.0f}, {3.0f}});
  SECTION("static, saturated where x was") {
    quantized_linear(x, torch::tensor({0.5f}), group).front().backward(slopes);
    // x in steps of 0.5 is 1.5, 63.5, -0.5 (level -0.8) and 0, 10, 0 (level 0.4).
    CHECK(weight.source.grad().equal(torch::tensor({{3.0f, 127.0f + 30.0f, -1.0f}})));
  }
  SECTION("by token") {
    const Tensor tokens = torch::tensor({{127.0f, -3.2f, 0.4f}, {0.0f, 254.0f, 4.8f}});
    token_quantized_linear(tokens, group).front().backward(slopes);
    // Codes are 127, -3, 0 and, in steps of 2, values 0, 254, 4.
    CHECK(weight.source.grad().equal(torch::tensor({{254.0f, -6.0f + 762.0f, 12.0f}})));
  }
  CHECK(weight.bias.grad().equal(torch::tensor({5.0f})));
}

TEST_CASE("what needs no gradient is not computed", "[quant][trained]") {
  const bool by_token = GENERATE(false, true);
  const QuantizedWeight trained = trained_weight(leaf(torch::randn({2, 3}))),
                        frozen = weight_of(quantize_weight(torch::randn({2, 3}), "w"));
  const auto group =
      std::make_shared<QuantizedGroup>(QuantizedGroup{.site = "x", .weights = {trained, frozen}});
  const Tensor x = torch::randn({4, 3}), scale = torch::tensor({0.1f});
  const auto y = by_token ? token_quantized_linear(x, group) : quantized_linear(x, scale, group);
  (y[0].sum() + y[1].sum()).backward();
  CHECK(trained.source.grad().defined());
  CHECK(group->dequantized.empty());  // only x's gradient reads them

  const Tensor leaf_x = leaf(x);
  const auto again =
      by_token ? token_quantized_linear(leaf_x, group) : quantized_linear(leaf_x, scale, group);
  const Tensor before = trained.source.grad().clone();
  CHECK(torch::autograd::grad({again[0].sum()}, {leaf_x}).front().defined());
  CHECK(trained.source.grad().equal(before));
}

TEST_CASE("after a step an executor computes, each way, what a new one does", "[quant][trained]") {
  const Compute compute = GENERATE(Compute::kInteger, Compute::kSimulate);
  const int number = GENERATE(range(-2, 6));
  const Scheme scheme = number == -2   ? Scheme{kWeightInt8, kInputInt8}
                        : number == -1 ? Scheme{kWeightInt8, kTokenInt8}
                                       : few_bits(number);
  INFO("scheme " << number);
  torch::manual_seed(16);
  const Consumers consumers(scheme.inputs, scheme.weights);
  const Tensor x = leaf(torch::randn({kTokens, kWidth}));
  std::vector<Tensor> slopes;
  for (const modules::LinearRef& ref : consumers.refs)
    slopes.push_back(torch::randn({kTokens, ref.out_features}));
  const auto run = [&](QuantizedExecutor& executor) {
    const auto y = executor.norm_linear(consumers.norm, consumers.refs, x);
    std::vector<Tensor> results = gradients_of(consumers, x, y, slopes);
    results.insert(results.end(), y.begin(), y.end());
    return results;
  };
  QuantizedExecutor old = consumers.executor(at::kFloat, compute);
  const auto before = run(old);
  {
    const torch::NoGradGuard no_grad;
    for (const auto& [name, tensor] : consumers.weights->trained())
      Tensor(tensor).add_(torch::randn_like(tensor));
  }
  QuantizedExecutor fresh = consumers.executor(at::kFloat, compute);
  const auto of_old = run(old), of_fresh = run(fresh);
  CHECK_FALSE(of_old[0].equal(before[0]));
  CHECK_FALSE(of_old.back().equal(before.back()));
  for (std::size_t i = 0; i < of_old.size(); ++i) CHECK(of_old[i].equal(of_fresh[i]));
}
