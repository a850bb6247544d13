#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "modules/kernels/causal_softmax_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include "hwy/contrib/math/math-inl.h"
#include "modules/kernels/causal_softmax.h"
#include "modules/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {
namespace {

template <class Row>
void softmax_row(typename Row::Stored* row, std::int64_t visible, float scale) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V best = hn::Set(d, std::numeric_limits<float>::lowest());
  for (std::int64_t i = 0; i < visible; i += lanes)
    best = hn::Max(best, load<Row>(d, row, i, visible));
  const V max = hn::MaxOfLanes(d, best), factor = hn::Set(d, scale);
  const auto weight = [&](std::int64_t i) HWY_ATTR {
    return hn::Exp(d, hn::Mul(hn::Sub(load<Row>(d, row, i, visible), max), factor));
  };
  V sum = hn::Zero(d);
  for (std::int64_t i = 0; i < visible; i += lanes) sum = hn::Add(sum, weight(i));
  const V inverse = hn::Div(hn::Set(d, 1.0f), hn::SumOfLanes(d, sum));
  for (std::int64_t i = 0; i < visible; i += lanes)
    store<Row>(hn::Mul(weight(i), inverse), row, i, visible);
}

template <class Row>
void gradient_row(typename Row::Stored* gradient, const typename Row::Stored* weights,
                  std::int64_t visible, float scale) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum = hn::Zero(d);
  for (std::int64_t i = 0; i + lanes <= visible; i += lanes)
    sum = hn::MulAdd(Row::load(d, weights + i), Row::load(d, gradient + i), sum);
  float dot = hn::GetLane(hn::SumOfLanes(d, sum));
  for (std::int64_t i = visible / lanes * lanes; i < visible; ++i)
    dot += at<Row>(weights, i) * at<Row>(gradient, i);
  const V mean = hn::Set(d, dot), factor = hn::Set(d, scale);
  for (std::int64_t i = 0; i < visible; i += lanes) {
    const V slope = hn::Sub(load<Row>(d, gradient, i, visible), mean);
    store<Row>(hn::Mul(hn::Mul(load<Row>(d, weights, i, visible), slope), factor), gradient, i,
               visible);
  }
}

/// Calls visit(row's values, index of its first value, keys it sees), and clears what it does not.
template <class Row, class Visit>
void for_each_row(const ScoreRows& scores, const Visit& visit) {
  using Stored = typename Row::Stored;
  for (std::int64_t row = scores.begin; row < scores.begin + scores.rows; ++row) {
    const std::int64_t first = row * scores.keys;
    const std::int64_t visible = std::min(scores.keys, scores.first_visible + row % scores.queries);
    Stored* values = static_cast<Stored*>(scores.values) + first;
    visit(values, first, visible);
    std::fill(values + visible, values + scores.keys, Stored{});
  }
}

template <class Row>
void softmax(const ScoreRows& scores, float scale) {
  for_each_row<Row>(scores, [&](typename Row::Stored* row, std::int64_t, std::int64_t visible) {
    softmax_row<Row>(row, visible, scale);
  });
}

template <class Row>
void softmax_backward(const ScoreRows& gradient, const void* weights, float scale) {
  using Stored = typename Row::Stored;
  for_each_row<Row>(gradient, [&](Stored* row, std::int64_t first, std::int64_t visible) {
    gradient_row<Row>(row, static_cast<const Stored*>(weights) + first, visible, scale);
  });
}

void causal_softmax(const ScoreRows& scores, float scale) {
  switch (scores.element) {
    case data::Element::kFloat32:
      return softmax<Float32Row>(scores, scale);
    case data::Element::kBFloat16:
      return softmax<BFloat16Row>(scores, scale);
    case data::Element::kFloat16:
      return softmax<Float16Row>(scores, scale);
  }
}

void causal_softmax_backward(const ScoreRows& gradient, const void* weights, float scale) {
  switch (gradient.element) {
    case data::Element::kFloat32:
      return softmax_backward<Float32Row>(gradient, weights, scale);
    case data::Element::kBFloat16:
      return softmax_backward<BFloat16Row>(gradient, weights, scale);
    case data::Element::kFloat16:
      return softmax_backward<Float16Row>(gradient, weights, scale);
  }
}

}  // namespace
}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::modules {

HWY_EXPORT(causal_softmax);
HWY_EXPORT(causal_softmax_backward);

void causal_softmax_cpu(const ScoreRows& scores, float scale) {
  HWY_DYNAMIC_DISPATCH(causal_softmax)(scores, scale);
}

void causal_softmax_backward_cpu(const ScoreRows& gradient, const void* weights, float scale) {
  HWY_DYNAMIC_DISPATCH(causal_softmax_backward)(gradient, weights, scale);
}

}  // namespace dualpath::modules
#endif
