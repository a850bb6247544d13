#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "modules/kernels/masked_softmax_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "modules/kernels/exp-inl.h"
#include "modules/kernels/masked_softmax.h"
#include "modules/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {
namespace {

/// One row of scores. The first `visible` keys count. Reads whole vectors up to the row's end and
/// masks invisible keys away, which is faster than a shorter load.
template <class Row>
struct MaskedRow {
  using Stored = typename Row::Stored;
  std::int64_t visible, keys;

  V load(const Stored* row, std::int64_t i, float hidden) const {
    const Floats d;
    if (i + lanes() <= visible) return modules::HWY_NAMESPACE::load<Row>(row + i);
    const V values = modules::HWY_NAMESPACE::load<Row>(d, row, i, keys);
    return hn::IfThenElse(seen(i), values, hn::Set(d, hidden));
  }
  /// Stores values. An invisible key's is cleared later, with the rest of the row.
  void store(V values, Stored* row, std::int64_t i) const {
    modules::HWY_NAMESPACE::store<Row>(values, row, i, keys);
  }

 private:
  static std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }
  hn::Mask<Floats> seen(std::int64_t i) const {
    return hn::FirstN(Floats(), static_cast<std::size_t>(visible - i));
  }
};

constexpr float kLowest = std::numeric_limits<float>::lowest();

/// kept: room for `visible` values and one vector more.
template <class Row>
void softmax_row(typename Row::Stored* row, MaskedRow<Row> masked, float scale, float* kept) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V best = hn::Set(d, kLowest);
  for (std::int64_t i = 0; i < masked.visible; i += lanes)
    best = hn::Max(best, masked.load(row, i, kLowest));
  const V max = hn::MaxOfLanes(d, best), factor = hn::Set(d, scale);
  V sum = hn::Zero(d);
  for (std::int64_t i = 0; i < masked.visible; i += lanes) {
    const V weight = exp(hn::Mul(hn::Sub(masked.load(row, i, kLowest), max), factor));
    hn::StoreU(weight, d, kept + i);
    sum = hn::Add(sum, weight);
  }
  const V inverse = hn::Div(hn::Set(d, 1.0f), hn::SumOfLanes(d, sum));
  for (std::int64_t i = 0; i < masked.visible; i += lanes)
    masked.store(hn::Mul(hn::LoadU(d, kept + i), inverse), row, i);
}

template <class Row>
void gradient_row(typename Row::Stored* gradient, const typename Row::Stored* weights,
                  MaskedRow<Row> masked, float scale) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum = hn::Zero(d);
  for (std::int64_t i = 0; i < masked.visible; i += lanes)
    sum = hn::MulAdd(masked.load(weights, i, 0.0f), masked.load(gradient, i, 0.0f), sum);
  const V mean = hn::SumOfLanes(d, sum), factor = hn::Set(d, scale);
  for (std::int64_t i = 0; i < masked.visible; i += lanes) {
    const V slope = hn::Sub(masked.load(gradient, i, 0.0f), mean);
    masked.store(hn::Mul(hn::Mul(masked.load(weights, i, 0.0f), slope), factor), gradient, i);
  }
}

std::int64_t visible_keys(const ScoreRows& scores, std::int64_t row) {
  const std::int64_t later = scores.causal ? row % scores.queries : 0;
  return std::min(scores.real, scores.first_visible + later);
}

/// Calls visit(row's values, index of its first value, the keys it sees), and clears the others.
template <class Row, class Visit>
void for_each_row(const ScoreRows& scores, const Visit& visit) {
  using Stored = typename Row::Stored;
  for (std::int64_t row = scores.begin; row < scores.begin + scores.rows; ++row) {
    const std::int64_t first = row * scores.keys;
    const std::int64_t visible = visible_keys(scores, row);
    Stored* values = static_cast<Stored*>(scores.values) + first;
    visit(values, first, MaskedRow<Row>{visible, scores.keys});
    std::fill(values + visible, values + scores.keys, Stored{});
  }
}

template <class Row>
void softmax(const ScoreRows& scores, float scale) {
  std::vector<float> kept(static_cast<std::size_t>(scores.keys + kMostLanes));
  for_each_row<Row>(scores, [&](typename Row::Stored* row, std::int64_t, MaskedRow<Row> masked) {
    softmax_row<Row>(row, masked, scale, kept.data());
  });
}

template <class Row>
void softmax_backward(const ScoreRows& gradient, const void* weights, float scale) {
  using Stored = typename Row::Stored;
  for_each_row<Row>(gradient, [&](Stored* row, std::int64_t first, MaskedRow<Row> masked) {
    gradient_row<Row>(row, static_cast<const Stored*>(weights) + first, masked, scale);
  });
}

void masked_softmax(const ScoreRows& scores, float scale) {
  visit_rows(scores.element, [&](auto row) { softmax<decltype(row)>(scores, scale); });
}

void masked_softmax_backward(const ScoreRows& gradient, const void* weights, float scale) {
  visit_rows(gradient.element,
             [&](auto row) { softmax_backward<decltype(row)>(gradient, weights, scale); });
}

}  // namespace
}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::modules {

HWY_EXPORT(masked_softmax);
HWY_EXPORT(masked_softmax_backward);

void masked_softmax_cpu(const ScoreRows& scores, float scale) {
  HWY_DYNAMIC_DISPATCH(masked_softmax)(scores, scale);
}

void masked_softmax_backward_cpu(const ScoreRows& gradient, const void* weights, float scale) {
  HWY_DYNAMIC_DISPATCH(masked_softmax_backward)(gradient, weights, scale);
}

}  // namespace dualpath::modules
#endif
