#include "quant/calibrate/observer.h"

#include "tests/support/catch.h"

using namespace dualpath::quant;

namespace {

void observe(Observer& observer, std::initializer_list<float> values) {
  const torch::Tensor x = torch::tensor(std::vector<float>(values)).unsqueeze(1);
  observer.observe(range_of(x, torch::ones(x.size(0), at::kBool)));
}

}  // namespace

TEST_CASE("an observer ignores padding rows", "[quant][observer]") {
  const ObserverKind kind = GENERATE(ObserverKind::kMinMax, ObserverKind::kMovingAverage);
  const auto observer = make_observer(kind);
  const torch::Tensor x = torch::tensor({{1.f, -2.f}, {900.f, -900.f}, {0.5f, 0.f}});
  observer->observe(range_of(x, /*mask=*/torch::tensor({true, false, true})));
  CHECK(observer->range().min == -2.0f);
  CHECK(observer->range().max == 1.0f);
  CHECK(observer->range().count == 2);
}

TEST_CASE("an observer that saw only padding saw nothing", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  observer->observe(range_of(torch::ones({2, 3}), torch::tensor({false, false})));
  CHECK(observer->range().count == 0);
}

TEST_CASE("minmax keeps the smallest and the largest ever seen", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  observe(*observer, {1.0f, 3.0f});
  CHECK(observer->range().min == 1.0f);  // not 0, where it began
  observe(*observer, {-5.0f, 2.0f});
  observe(*observer, {0.0f, 1.0f});
  CHECK(observer->range().min == -5.0f);
  CHECK(observer->range().max == 3.0f);
  CHECK(observer->range().count == 6);
}

TEST_CASE("moving_average goes a hundredth of the way to each new window", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMovingAverage);
  observe(*observer, {-1.0f, 10.0f});
  CHECK(observer->range().max == 10.0f);
  observe(*observer, {-2.0f, 110.0f});
  CHECK(observer->range().min == Approx(-1.01f));
  CHECK(observer->range().max == Approx(11.0f));
}

TEST_CASE("an activation's scale is its largest size over 127", "[quant][observer]") {
  CHECK(activation_scale({.min = -254.0f, .max = 3.0f, .count = 1}) == 2.0f);
  CHECK(activation_scale({.min = -3.0f, .max = 12.7f, .count = 1}) == 12.7f / 127.0f);
  CHECK(activation_scale({.min = 0.0f, .max = 0.0f, .count = 1}) == 1.0f);
}

TEST_CASE("an observer sees half precision as it is", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  const torch::Tensor x = torch::tensor({{1.5f, -2.25f}}).to(at::kBFloat16);
  observer->observe(range_of(x, torch::tensor({true})));
  CHECK(observer->range().min == -2.25f);
  CHECK(observer->range().max == 1.5f);
}
