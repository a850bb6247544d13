#include "trainer/evaluate/metrics.h"

#include "tests/support/catch.h"

using namespace dualpath::trainer;

namespace {

/// Makes ten windows of 100 tokens, with `nll` and `kl` per token and `correct` per window. Each
/// gets a share of `noise` that differs from window to window, 44.5 / 101 on average.
RowSums row(double nll, double kl, std::int64_t correct, double noise = 0.0) {
  RowSums row;
  for (int i = 0; i < 10; ++i) {
    const double offset = noise * (i * i * 37 % 101) / 101.0;
    row.windows.push_back({.nll = 100 * (nll + offset),
                           .kl = 100 * (kl + offset),
                           .correct = correct,
                           .agreed = 50,
                           .tokens = 100});
  }
  return row;
}

bool same(const Estimate& a, const Estimate& b) {
  return a.value == b.value && a.low == b.low && a.high == b.high;
}

}  // namespace

TEST_CASE("metrics are sums over tokens, not means of windows", "[trainer][metrics]") {
  const Metrics metrics =
      metrics_of({"fp",
                  {{.nll = 9, .kl = 1.5, .correct = 1, .agreed = 2, .tokens = 3},
                   {.nll = 1, .kl = 0.5, .correct = 0, .agreed = 1, .tokens = 1}}});
  CHECK(metrics.tokens == 4);
  CHECK(metrics.nll == 2.5);
  CHECK(metrics.perplexity == Approx(std::exp(2.5)));
  CHECK(metrics.kl == 0.5);
  CHECK(metrics.accuracy == 0.25);
  CHECK(metrics.agreement == 0.75);
}

TEST_CASE("recovery is the share of the loss that came back", "[trainer][metrics]") {
  // accuracy 40 -> 30 -> 34 %, KL 0 -> 0.8 -> 0.6, nll 2 -> 3 -> 2.25
  const Recovery r = recovery(row(2, 0, 40), row(3, 0.8, 30), row(2.25, 0.6, 34), 200, 1);
  CHECK(r.accuracy->value == Approx(0.4));
  CHECK(r.kl->value == Approx(0.25));
  CHECK(r.nll->value == Approx(0.75));
  CHECK(r.kl->low == Approx(0.25));  // all windows agree
  CHECK(r.kl->high == Approx(0.25));
}

TEST_CASE("a correction that makes it worse has recovered less than nothing",
          "[trainer][metrics]") {
  CHECK(recovery(row(2, 0, 40), row(3, 0.8, 30), row(3, 1.2, 30), 200, 1).kl->value ==
        Approx(-0.5));
}

TEST_CASE("the interval holds the value and narrows with less noise", "[trainer][metrics]") {
  const auto kl = [](double noise) {
    return *recovery(row(2, 0, 40), row(3, 0.8, 30), row(2.5, 0.4, 34, noise), 1000, 1).kl;
  };
  const Estimate noisy = kl(0.2), calm = kl(0.02);
  CHECK(noisy.low < noisy.value);
  CHECK(noisy.value < noisy.high);
  CHECK(noisy.value == Approx((0.8 - 0.4 - 0.2 * 44.5 / 101) / 0.8));
  CHECK(calm.high - calm.low < 0.2 * (noisy.high - noisy.low));
}

TEST_CASE("the bootstrap is a function of the seed", "[trainer][metrics]") {
  const RowSums fp = row(2, 0, 40), quantized = row(3, 0.8, 30), corrected = row(2.5, 0.4, 34, 0.3);
  const auto kl = [&](std::uint64_t seed) {
    return *recovery(fp, quantized, corrected, 300, seed).kl;
  };
  CHECK(same(kl(5), kl(5)));
  CHECK_FALSE(same(kl(5), kl(6)));
}

TEST_CASE("where the loss itself is noise there is no recovery", "[trainer][metrics]") {
  RowSums quantized = row(2, 0.8, 40);
  for (std::size_t i = 0; i < 10; ++i) {  // half of the windows win what the others lose
    quantized.windows[i].nll += i % 2 == 0 ? 30 : -30;
    quantized.windows[i].correct += i % 2 == 0 ? 3 : -3;
  }
  const Recovery r = recovery(row(2, 0, 40), quantized, row(2, 0.4, 40), 1000, 1);
  CHECK_FALSE(r.nll);
  CHECK_FALSE(r.accuracy);
  CHECK(r.kl);  // KL's loss is beyond doubt
  CHECK_FALSE(recovery(row(2, 0, 40), row(2, 0, 40), row(2, 0, 40), 100, 1).kl);
}
