#include "trainer/evaluate/metrics.h"

#include <cmath>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace dualpath::trainer;

namespace {

/// The sums of a window's tokens.
SampleSums window(double nll, double kl, double correct, double agreed, double tokens) {
  SampleSums sums;
  sums[Quantity::kNll].add(nll, tokens);
  sums[Quantity::kKl].add(kl, tokens);
  sums[Quantity::kCorrect].add(correct, tokens);
  sums[Quantity::kAgreed].add(agreed, tokens);
  return sums;
}

/// Samples with the given sums of a quantity, each over as many items.
RowSums row_of(Quantity quantity, const std::vector<std::pair<double, double>>& sums) {
  RowSums row;
  for (const auto& [value, count] : sums) row.samples.emplace_back()[quantity].add(value, count);
  return row;
}

const Metric& metric_named(const std::string& name) {
  for (const Metric& metric : kMetrics)
    if (metric.name == name) return metric;
  throw std::logic_error(name);
}

/// The recovery of one metric: fp, quantized and the row that recovers.
std::optional<Estimate> recovered(const std::string& metric, const std::vector<RowSums>& rows,
                                  std::int64_t resamples, std::uint64_t seed) {
  return Resampled(metric_named(metric), rows, resamples, seed).recovery(0, 1, 2);
}

/// Makes ten windows of 100 tokens, with `nll` and `kl` per token and `correct` per window. Each
/// gets a share of `noise` that differs from window to window, 44.5 / 101 on average.
RowSums row(double nll, double kl, std::int64_t correct, double noise = 0.0) {
  RowSums made;
  for (int i = 0; i < 10; ++i) {
    const double offset = noise * (i * i * 37 % 101) / 101.0;
    made.samples.push_back(
        window(100 * (nll + offset), 100 * (kl + offset), static_cast<double>(correct), 50, 100));
  }
  return made;
}

bool same(const Estimate& a, const Estimate& b) {
  return a.value == b.value && a.low == b.low && a.high == b.high;
}

}  // namespace

TEST_CASE("figures are sums over tokens, not means of windows", "[trainer][metrics]") {
  const RowSums row{"fp", {window(9, 1.5, 1, 2, 3), window(1, 0.5, 0, 1, 1)}};
  const Figures figures = figures_of(row);
  CHECK(tokens_of(row) == 4);
  CHECK(figures.at("nll") == 2.5);
  CHECK(figures.at("perplexity") == Approx(std::exp(2.5)));
  CHECK(figures.at("kl") == 0.5);
  CHECK(figures.at("accuracy") == 0.25);
  CHECK(figures.at("agreement") == 0.75);
  CHECK_FALSE(figures.contains("wer"));  // nobody measured it
}

TEST_CASE("recovery is the share of the loss that came back", "[trainer][metrics]") {
  // accuracy 40 -> 30 -> 34 %, KL 0 -> 0.8 -> 0.6, nll 2 -> 3 -> 2.25
  const std::vector<RowSums> rows{row(2, 0, 40), row(3, 0.8, 30), row(2.25, 0.6, 34)};
  const auto kl = recovered("kl", rows, 200, 1);
  CHECK(recovered("accuracy", rows, 200, 1)->value == Approx(0.4));
  CHECK(recovered("nll", rows, 200, 1)->value == Approx(0.75));
  CHECK(kl->value == Approx(0.25));
  CHECK(kl->low == Approx(0.25));  // all windows agree
  CHECK(kl->high == Approx(0.25));
}

TEST_CASE("a correction that makes it worse has recovered less than nothing",
          "[trainer][metrics]") {
  CHECK(recovered("kl", {row(2, 0, 40), row(3, 0.8, 30), row(3, 1.2, 30)}, 200, 1)->value ==
        Approx(-0.5));
}

TEST_CASE("errors are lost as they grow, and hits as they fall", "[trainer][metrics]") {
  // Four answers of five words: 2, 12 and 4 edits; 3, 1 and 2 of 4 are exact.
  const auto edits = [](double a, double b) {
    return row_of(Quantity::kWords, {{a, 5}, {a, 5}, {b, 5}, {b, 5}});
  };
  const auto wer = recovered("wer", {edits(1, 0), edits(4, 2), edits(2, 0)}, 500, 1);
  CHECK(wer->value == Approx(0.8));  // 2, 12, 4 edits of 20 words
  CHECK(wer->low <= wer->value);
  const auto exact = [](const std::vector<double>& hits) {
    RowSums made;
    for (const double hit : hits) made.samples.emplace_back()[Quantity::kExact].add(hit);
    return made;
  };
  std::vector<double> all(40, 1.0), none(40, 0.0), some(40, 0.0);
  for (std::size_t i = 0; i < 30; ++i) some[i] = 1.0;
  CHECK(recovered("exact", {exact(all), exact(none), exact(some)}, 500, 1)->value == Approx(0.75));
}

TEST_CASE("a metric is resampled among the samples in which it was measured",
          "[trainer][metrics]") {
  // Three samples have answers, all else has tokens alone: the interval knows of the three.
  RowSums row = row_of(Quantity::kExact, {{1, 1}, {1, 1}, {0, 1}});
  for (int i = 0; i < 50; ++i) row.samples.push_back(window(1, 1, 1, 1, 1));
  const Resampled exact(metric_named("exact"), {row}, 2000, 1);
  CHECK(exact.value(0) == Approx(2.0 / 3));
  CHECK(exact.interval(0).low == 0.0);  // all three draws are the miss with probability 1 / 27
  CHECK(exact.interval(0).high == 1.0);
  CHECK_FALSE(Resampled(metric_named("cer"), {row}, 10, 1).is_measured());
}

TEST_CASE("an interval holds its figure, and is of the figure's own scale", "[trainer][metrics]") {
  const RowSums noisy = row(2, 0.8, 40, 0.5);
  const Resampled perplexity(metric_named("perplexity"), {noisy}, 1000, 3);
  CHECK(perplexity.interval(0).low < perplexity.value(0));
  CHECK(perplexity.value(0) < perplexity.interval(0).high);
  CHECK(perplexity.interval(0).low > std::exp(2.0));
  CHECK(perplexity.interval(0).high < std::exp(2.5));
}

TEST_CASE("the interval holds the value and narrows with less noise", "[trainer][metrics]") {
  const auto kl = [](double noise) {
    return *recovered("kl", {row(2, 0, 40), row(3, 0.8, 30), row(2.5, 0.4, 34, noise)}, 1000, 1);
  };
  const Estimate noisy = kl(0.2), calm = kl(0.02);
  CHECK(noisy.low < noisy.value);
  CHECK(noisy.value < noisy.high);
  CHECK(noisy.value == Approx((0.8 - 0.4 - 0.2 * 44.5 / 101) / 0.8));
  CHECK(calm.high - calm.low < 0.2 * (noisy.high - noisy.low));
}

TEST_CASE("the bootstrap is a function of the seed", "[trainer][metrics]") {
  const std::vector<RowSums> rows{row(2, 0, 40), row(3, 0.8, 30), row(2.5, 0.4, 34, 0.3)};
  const auto kl = [&](std::uint64_t seed) { return *recovered("kl", rows, 300, seed); };
  CHECK(same(kl(5), kl(5)));
  CHECK_FALSE(same(kl(5), kl(6)));
}

TEST_CASE("where the loss itself is noise there is no recovery", "[trainer][metrics]") {
  RowSums quantized = row(2, 0.8, 40);
  for (std::size_t i = 0; i < 10; ++i) {  // half of the windows win what the others lose
    quantized.samples[i][Quantity::kNll].value += i % 2 == 0 ? 30 : -30;
    quantized.samples[i][Quantity::kCorrect].value += i % 2 == 0 ? 3 : -3;
  }
  const std::vector<RowSums> rows{row(2, 0, 40), quantized, row(2, 0.4, 40)};
  CHECK_FALSE(recovered("nll", rows, 1000, 1));
  CHECK_FALSE(recovered("accuracy", rows, 1000, 1));
  CHECK(recovered("kl", rows, 1000, 1));  // KL's loss is beyond doubt
  CHECK_FALSE(recovered("kl", {row(2, 0, 40), row(2, 0, 40), row(2, 0, 40)}, 100, 1));
}
