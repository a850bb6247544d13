#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "trainer/kernels/head_loss_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/kernels/exp-inl.h"
#include "modules/kernels/rows-inl.h"
#include "trainer/kernels/head_loss.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::trainer::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using namespace modules::HWY_NAMESPACE;

/// Returns NaN if a logit is not finite, which exp would take for nothing: the losses become NaN,
/// too.
template <class Row>
float maximum(const typename Row::Stored* row, std::int64_t words) {
  const Floats d;
  V best = hn::Set(d, std::numeric_limits<float>::lowest()), not_finite = hn::Zero(d);
  for (std::int64_t i = 0; i < words; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const V x = load<Row>(d, row, i, words);
    best = hn::Max(best, x);
    not_finite = hn::Add(not_finite, hn::Sub(x, x));
  }
  return hn::GetLane(hn::MaxOfLanes(d, best)) + hn::GetLane(hn::SumOfLanes(d, not_finite));
}

/// The first word that has this value; `words` if none has (a row that is not finite).
template <class Row>
std::int64_t first_with(float value, const typename Row::Stored* row, std::int64_t words) {
  const Floats d;
  const V wanted = hn::Set(d, value);
  for (std::int64_t i = 0; i < words; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const auto found = hn::FindFirstTrue(d, hn::Eq(load<Row>(d, row, i, words), wanted));
    if (found >= 0) return i + found;
  }
  return words;
}

/// Sums over a row, relative to each path's largest logit.
struct Sums {
  float p = 0.0f, q = 0.0f;  // sums of exp(logit - max)
  float cross = 0.0f;        // sum of exp(reference - max) * (reference - quantized)
};

/// Blocks are added up by themselves: the rounding of 150 000 terms in a row would show.
constexpr std::int64_t kBlock = 1024;

template <class Row>
Sums sums_of(const typename Row::Stored* p, float p_max, const typename Row::Stored* q, float q_max,
             std::int64_t words) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const V largest_p = hn::Set(d, p_max), largest_q = hn::Set(d, q_max);
  Sums sums;
  for (std::int64_t begin = 0; begin < words; begin += kBlock) {
    V sum_p = hn::Zero(d), sum_q = hn::Zero(d), cross = hn::Zero(d);
    for (std::int64_t i = begin; i < std::min(words, begin + kBlock); i += lanes) {
      const V x_q = load<Row>(d, q, i, words);
      sum_q = hn::Add(sum_q, exp(hn::Sub(x_q, largest_q)));
      if (!p) continue;
      const V x_p = load<Row>(d, p, i, words);
      const V e_p = exp(hn::Sub(x_p, largest_p));
      sum_p = hn::Add(sum_p, e_p);
      cross = hn::MulAdd(e_p, hn::Sub(x_p, x_q), cross);
    }
    sums.p += hn::GetLane(hn::SumOfLanes(d, sum_p));
    sums.q += hn::GetLane(hn::SumOfLanes(d, sum_q));
    sums.cross += hn::GetLane(hn::SumOfLanes(d, cross));
  }
  return sums;
}

/// log of the sum of exp over a row's logits.
float log_sum(float max, float sum) { return max + std::log(sum); }

/// (kl + ce) * q - kl * p. The target's ce is not subtracted yet.
template <class Row>
void write_gradient(const typename Row::Stored* p, float log_sum_p, const typename Row::Stored* q,
                    float log_sum_q, LossWeights weights, std::int64_t words,
                    typename Row::Stored* gradient) {
  const Floats d;
  const V of_q = hn::Set(d, weights.kl + weights.ce), of_p = hn::Set(d, weights.kl);
  const V norm_q = hn::Set(d, log_sum_q), norm_p = hn::Set(d, log_sum_p);
  for (std::int64_t i = 0; i < words; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    V slope = hn::Mul(of_q, exp(hn::Sub(load<Row>(d, q, i, words), norm_q)));
    if (p) slope = hn::NegMulAdd(of_p, exp(hn::Sub(load<Row>(d, p, i, words), norm_p)), slope);
    store<Row>(slope, gradient, i, words);
  }
}

template <class Row>
RowLoss row_loss(const typename Row::Stored* p, const typename Row::Stored* q, std::int64_t target,
                 std::int64_t words, LossWeights weights, typename Row::Stored* gradient) {
  const float q_max = maximum<Row>(q, words), p_max = p ? maximum<Row>(p, words) : 0.0f;
  const Sums sums = sums_of<Row>(p, p_max, q, q_max, words);
  const float log_sum_q = log_sum(q_max, sums.q), log_sum_p = p ? log_sum(p_max, sums.p) : 0.0f;
  const std::int64_t best = first_with<Row>(q_max, q, words);
  RowLoss loss{.kl = 0.0f,
               .nll = log_sum_q - at<Row>(q, target),
               .correct = best == target ? 1.0f : 0.0f,
               .agreed = 0.0f};
  if (p) {
    loss.kl = sums.cross / sums.p + (log_sum_q - log_sum_p);
    loss.agreed = best == first_with<Row>(p_max, p, words) ? 1.0f : 0.0f;
  }
  if (!gradient) return loss;
  if (!p) weights.kl = 0.0f;
  const float q_target = std::exp(-loss.nll),
              p_target = p ? std::exp(at<Row>(p, target) - log_sum_p) : 0.0f;
  write_gradient<Row>(p, log_sum_p, q, log_sum_q, weights, words, gradient);
  const float at_target = (weights.kl + weights.ce) * q_target - weights.kl * p_target - weights.ce;
  store<Row>(hn::Set(Floats(), at_target), gradient, target, target + 1);
  return loss;
}

template <class Row>
void all_rows(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient_out) {
  using Stored = typename Row::Stored;
  const auto *reference = static_cast<const Stored*>(in.reference),
             *quantized = static_cast<const Stored*>(in.quantized);
  auto* gradient = static_cast<Stored*>(gradient_out);
  for (std::int64_t row = 0; row < in.rows; ++row) {
    const std::int64_t begin = row * in.words;
    losses[row] =
        row_loss<Row>(reference ? reference + begin : nullptr, quantized + begin, in.targets[row],
                      in.words, weights, gradient ? gradient + begin : nullptr);
  }
}

void head_loss(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient) {
  visit_rows(in.element, [&](auto row) { all_rows<decltype(row)>(in, weights, losses, gradient); });
}

}  // namespace
}  // namespace dualpath::trainer::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::trainer {

HWY_EXPORT(head_loss);

void head_loss_cpu(const HeadRows& in, LossWeights weights, RowLoss* losses, void* gradient) {
  HWY_DYNAMIC_DISPATCH(head_loss)(in, weights, losses, gradient);
}

}  // namespace dualpath::trainer
#endif
