#include "quant/calibrate/observer.h"

#include "tests/support/catch.h"

using namespace dualpath::quant;

namespace {

void observe(Observer& observer, std::initializer_list<float> values) {
  const torch::Tensor x = torch::tensor(std::vector<float>(values)).unsqueeze(1);
  observer.observe(x, torch::ones(x.size(0), at::kBool));
}

/// A few windows of random rows, some of them padding.
struct Windows {
  std::vector<torch::Tensor> rows, masks;

  Windows() {
    torch::manual_seed(3);
    for (int i = 0; i < 7; ++i) {
      rows.push_back(torch::randn({5, 4}));
      masks.push_back(i == 4 ? torch::zeros(5, at::kBool) : torch::rand(5).gt(0.3));
    }
  }
  std::unique_ptr<Observer> seen(ObserverKind kind, std::size_t first, std::size_t last) const {
    auto observer = make_observer(kind);
    for (std::size_t i = first; i < last; ++i) observer->observe(rows[i], masks[i]);
    return observer;
  }
};

bool are_equal(const ObservedRange& a, const ObservedRange& b) {
  return a.min == b.min && a.max == b.max && a.count == b.count;
}

}  // namespace

TEST_CASE("an observer ignores padding rows", "[quant][observer]") {
  const ObserverKind kind = GENERATE(ObserverKind::kMinMax, ObserverKind::kMovingAverage);
  const auto observer = make_observer(kind);
  const torch::Tensor x = torch::tensor({{1.f, -2.f}, {900.f, -900.f}, {0.5f, 0.f}});
  observer->observe(x, /*mask=*/torch::tensor({true, false, true}));
  CHECK(observer->range().min == -2.0f);
  CHECK(observer->range().max == 1.0f);
  CHECK(observer->range().count == 2);
}

TEST_CASE("an observer that saw only padding saw nothing", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  observer->observe(torch::ones({2, 3}), torch::tensor({false, false}));
  CHECK(observer->range().count == 0);
}

TEST_CASE("minmax keeps the smallest and the largest ever seen", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  observe(*observer, {1.0f, 3.0f});
  CHECK(observer->range().min == 1.0f);  // not 0, the initial value
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

TEST_CASE("shards merged in their order are one pass in that order, to the bit",
          "[quant][observer]") {
  const ObserverKind kind = GENERATE(ObserverKind::kMinMax, ObserverKind::kMovingAverage);
  const Windows windows;
  const ObservedRange whole = windows.seen(kind, 0, 7)->range();
  for (std::size_t cut = 0; cut <= 7; ++cut) {
    const auto first = windows.seen(kind, 0, cut);
    first->add(windows.seen(kind, cut, 7)->seen());
    CHECK(are_equal(first->range(), whole));
  }
  // A shard may itself be a merge of others.
  const auto middle = windows.seen(kind, 2, 3);
  middle->add(windows.seen(kind, 3, 7)->seen());
  const auto all = windows.seen(kind, 0, 2);
  all->add(middle->seen());
  CHECK(are_equal(all->range(), whole));
}

TEST_CASE("the order of shards changes a moving average, not a minmax", "[quant][observer]") {
  const Windows windows;
  const auto swapped = [&](ObserverKind kind) {
    const auto last = windows.seen(kind, 3, 7);
    last->add(windows.seen(kind, 0, 3)->seen());
    return are_equal(last->range(), windows.seen(kind, 0, 7)->range());
  };
  CHECK(swapped(ObserverKind::kMinMax));
  CHECK_FALSE(swapped(ObserverKind::kMovingAverage));
}

TEST_CASE("an observer proposes the symmetric grid of its range", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  observe(*observer, {-254.0f, 3.0f});
  const Grid grid = observer->qparams(/*num_bits=*/8);
  CHECK(grid.scale == 2.0f);
  CHECK(grid.qmin == -128);
  CHECK(grid.qmax == 127);
  CHECK(observer->qparams(/*num_bits=*/4).scale == 254.0f / 7.0f);
}

TEST_CASE("an activation's scale is its largest size over 127", "[quant][observer]") {
  CHECK(activation_scale({.min = -254.0f, .max = 3.0f, .count = 1}) == 2.0f);
  CHECK(activation_scale({.min = -3.0f, .max = 12.7f, .count = 1}) == 12.7f / 127.0f);
  CHECK(activation_scale({.min = 0.0f, .max = 0.0f, .count = 1}) == 1.0f);
}

TEST_CASE("an observer sees half precision as it is", "[quant][observer]") {
  const auto observer = make_observer(ObserverKind::kMinMax);
  const torch::Tensor x = torch::tensor({{1.5f, -2.25f}}).to(at::kBFloat16);
  observer->observe(x, torch::tensor({true}));
  CHECK(observer->range().min == -2.25f);
  CHECK(observer->range().max == 1.5f);
}
