#include "trainer/train/optimizer.h"

#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::trainer;
using dualpath::testing::error_message;
using torch::Tensor;

namespace {

TrainOptions constant_rate(double max_grad_norm = 1e9) {
  TrainOptions options;
  options.max_steps = 100;
  options.lr_scheduler_type = Schedule::kConstant;
  options.warmup_ratio = 0.0;
  options.max_grad_norm = max_grad_norm;
  return options;
}

Tensor parameter(const std::vector<float>& values) {
  return torch::tensor(values).requires_grad_();
}

/// A step whose gradient is that of sum(parameter^2) / 2 + sum(parameter).
double step(Optimizer& optimizer, std::int64_t number) {
  for (auto [name, tensor] : optimizer.parameters()) {
    tensor.mutable_grad() = (tensor + 1).detach();
  }
  return optimizer.step(number);
}

}  // namespace

TEST_CASE("the rate warms up linearly and then falls as a half cosine", "[trainer][schedule]") {
  const auto at = [](std::int64_t step) {
    return schedule_factor(Schedule::kCosine, 0.2, step, 10);  // 2 steps of warm-up, then 8
  };
  CHECK(at(0) == Approx(0.5));
  CHECK(at(1) == Approx(1.0));
  CHECK(at(2) == Approx(1.0));
  CHECK(at(4) == Approx(0.5 + 0.25 * std::sqrt(2.0)));  // cos(pi / 4)
  CHECK(at(6) == Approx(0.5));
  CHECK(at(9) == Approx(0.5 * (1 + std::cos(7 * 3.14159265358979 / 8))));
}

TEST_CASE("the linear rate falls to one step above nothing", "[trainer][schedule]") {
  CHECK(schedule_factor(Schedule::kLinear, 0.0, 0, 4) == 1.0);
  CHECK(schedule_factor(Schedule::kLinear, 0.0, 1, 4) == 0.75);
  CHECK(schedule_factor(Schedule::kLinear, 0.0, 3, 4) == 0.25);
  CHECK(schedule_factor(Schedule::kLinear, 0.5, 3, 4) == 0.5);
}

TEST_CASE("the constant rate only warms up", "[trainer][schedule]") {
  CHECK(schedule_factor(Schedule::kConstant, 0.3, 0, 10) == Approx(1.0 / 3));
  CHECK(schedule_factor(Schedule::kConstant, 0.3, 3, 10) == 1.0);
  CHECK(schedule_factor(Schedule::kConstant, 0.3, 9, 10) == 1.0);
}

TEST_CASE("a warm-up of a part of a step is one step, and all may be warm-up",
          "[trainer][schedule]") {
  CHECK(schedule_factor(Schedule::kConstant, 0.01, 0, 10) == 1.0);
  CHECK(schedule_factor(Schedule::kCosine, 1.0, 9, 10) == 1.0);
  CHECK(schedule_factor(Schedule::kLinear, 0.0, 0, 1) == 1.0);
}

TEST_CASE("AdamW's first step is the rate in the gradient's direction, decay apart from it",
          "[trainer][optimizer]") {
  const Tensor free = parameter({2.0f, -3.0f}), decayed = parameter({2.0f, -3.0f});
  Optimizer optimizer({{{{"free", free}}, 0.1, 0.0}, {{{"decayed", decayed}}, 0.01, 0.5}},
                      constant_rate());
  step(optimizer, 0);  // gradients 3 and -2
  CHECK(torch::allclose(free.detach(), torch::tensor({1.9f, -2.9f})));
  // p (1 - rate * decay) - rate * sign
  CHECK(torch::allclose(decayed.detach(), torch::tensor({1.99f - 0.01f, -2.985f + 0.01f})));
  CHECK_FALSE(free.grad().defined());
}

TEST_CASE("gradients are clipped by the norm over all groups, which is returned",
          "[trainer][optimizer]") {
  const Tensor a = parameter({2.0f}), b = parameter({3.0f});  // gradients 3 and 4
  Optimizer optimizer({{{{"a", a}}, 0.1, 0.0}, {{{"b", b}}, 0.1, 0.0}}, constant_rate(2.5));
  CHECK(step(optimizer, 0) == Approx(5.0));
  const modules::NamedTensors state = optimizer.state();
  CHECK(state.at("a.exp_avg").item<float>() == Approx(0.1 * 1.5));
  CHECK(state.at("b.exp_avg").item<float>() == Approx(0.1 * 2.0));
}

TEST_CASE("each group has its own rate, and the schedule bends both", "[trainer][optimizer]") {
  TrainOptions options = constant_rate();
  options.lr_scheduler_type = Schedule::kLinear;
  const Tensor a = parameter({2.0f}), b = parameter({2.0f});
  Optimizer optimizer({{{{"a", a}}, 0.1, 0.0}, {{{"b", b}}, 0.4, 0.0}}, options);
  step(optimizer, 50);
  CHECK(a.item<float>() == Approx(2 - 0.05));
  CHECK(b.item<float>() == Approx(2 - 0.2));
  CHECK(optimizer.learning_rate(50) == Approx(0.05));
}

TEST_CASE("a saved optimizer goes on bit-identically", "[trainer][optimizer]") {
  const auto make = [](const Tensor& tensor) {
    return Optimizer({{{{"p", tensor}}, 0.03, 0.1}}, constant_rate(1.0));
  };
  // Whatever the order of its elements in memory.
  const bool transposed = GENERATE(false, true);
  const auto six = [&](const std::vector<float>& values) {
    const Tensor rows = torch::tensor(values).view({2, 3});
    return (transposed ? rows.t() : rows).detach().requires_grad_();
  };
  const Tensor whole = six({0.3f, -1.7f, 5.0f, 0.1f, 2.0f, -0.4f});
  Optimizer unbroken = make(whole);
  modules::NamedTensors values, state;
  for (std::int64_t i = 0; i < 6; ++i) {
    if (i == 3) {
      for (const auto& [name, tensor] : unbroken.parameters())
        values[name] = tensor.detach().contiguous().clone();
      for (const auto& [name, tensor] : unbroken.state()) state[name] = tensor.contiguous().clone();
    }
    step(unbroken, i);
  }
  const Tensor resumed = six(std::vector<float>(6, 0.0f));
  Optimizer second = make(resumed);
  second.load(values, state, "here");
  for (std::int64_t i = 3; i < 6; ++i) step(second, i);
  CHECK(resumed.equal(whole));
  for (const auto& [name, tensor] : unbroken.state()) CHECK(second.state().at(name).equal(tensor));
}

TEST_CASE("a parameter that never had a gradient has no state, and goes on so",
          "[trainer][optimizer]") {
  const auto make = [](const Tensor& a, const Tensor& b) {
    return Optimizer({{{{"a", a}, {"b", b}}, 0.03, 0.1}}, constant_rate());
  };
  const Tensor a = parameter({0.5f}), b = parameter({0.25f});
  Optimizer whole = make(a, b);
  a.mutable_grad() = torch::ones(1);
  whole.step(0);
  const modules::NamedTensors state = whole.state();
  CHECK(state.contains("a.step"));
  CHECK_FALSE(state.contains("b.step"));

  const Tensor loaded_a = parameter({7.0f}), loaded_b = parameter({7.0f});
  Optimizer resumed = make(loaded_a, loaded_b);
  step(resumed, 0);  // a state that must go
  modules::NamedTensors values;
  for (const auto& [name, tensor] : whole.parameters()) values[name] = tensor.detach().clone();
  resumed.load(values, state, "here");
  CHECK(loaded_b.equal(b));
  step(whole, 1);
  step(resumed, 1);
  CHECK(loaded_a.equal(a));
  CHECK(loaded_b.equal(b));  // its first step
  CHECK(resumed.state().at("b.step").item<std::int64_t>() == 1);
}

TEST_CASE("many steps of large parameters are torch's, with the same bits on any number of threads",
          "[trainer][optimizer]") {
  torch::manual_seed(4);
  constexpr std::int64_t kLarge = 70'003;  // more than one thread's share, and no multiple of 16
  const Tensor first = torch::randn(kLarge), second = torch::randn({300, 250});
  const auto leaf = [](const Tensor& tensor) { return tensor.clone().requires_grad_(); };
  const auto train = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const Tensor a = leaf(first), b = leaf(second.t());  // b's elements lie transposed in memory
    Optimizer optimizer({{{{"a", a}, {"b", b}}, 0.01, 0.1}}, constant_rate());
    for (std::int64_t i = 0; i < 5; ++i) step(optimizer, i);
    at::set_num_threads(before);
    return std::vector<Tensor>{a.detach(), b.detach()};
  };
  const std::vector<Tensor> one = train(1), four = train(4);
  const Tensor a = leaf(first), b = leaf(second.t());
  torch::optim::AdamW reference({a, b}, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  for (int i = 0; i < 5; ++i) {
    a.mutable_grad() = (a + 1).detach();
    b.mutable_grad() = (b + 1).detach();
    reference.step();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(one[i].equal(four[i]));
    CHECK(torch::allclose(one[i], (i == 0 ? a : b).detach(), 1e-6, 1e-6));
  }
}

TEST_CASE("a state that does not fit is an Error with the tensor and where it came from",
          "[trainer][optimizer]") {
  const Tensor p = parameter({1.0f, 2.0f});
  Optimizer optimizer({{{{"p", p}}, 0.1, 0.0}}, constant_rate());
  step(optimizer, 0);
  modules::NamedTensors values{{"p", torch::zeros(2)}}, state = optimizer.state();
  CHECK(error_message([&] { optimizer.load({}, state, "ckpt"); }) == "ckpt: p is missing");
  CHECK(error_message([&] {
          optimizer.load({{"p", torch::zeros(3)}}, state, "ckpt");
        }) == "ckpt: p: wrong shape");
  state.erase("p.exp_avg_sq");
  CHECK(error_message([&] { optimizer.load(values, state, "ckpt"); }) ==
        "ckpt: p.exp_avg_sq is missing");
}
