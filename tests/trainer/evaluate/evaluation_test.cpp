#include "trainer/evaluate/evaluation.h"

#include "modules/network/sweep.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/train/head_chunks.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// A row's figures, and the tokens behind them.
struct Measured {
  explicit Measured(const RowSums& row)
      : nll(figures_of(row).at("nll")),
        kl(figures_of(row).at("kl")),
        accuracy(figures_of(row).at("accuracy")),
        agreement(figures_of(row).at("agreement")),
        tokens(tokens_of(row)) {}
  double nll, kl, accuracy, agreement;
  std::int64_t tokens;
};

/// Evaluates fp and quantized on 5 windows of 20 tokens and one of 4.
std::vector<Measured> evaluate(const EvaluateOptions& options) {
  static const Experiment experiment = tiny_experiment();
  static QuantizedPath quantized(experiment, calibrated(experiment), reference_of(experiment));
  modules::FloatExecutor fp(experiment.model.weights, at::kFloat);
  std::vector<Measured> metrics;
  for (const RowSums& row : evaluate_rows(
           experiment.model.network, {{"fp", &fp}, {"quantized", &quantized.executor}},
           made_windows(5, 20, /*rest=*/4), options, Processes::alone(), [](std::int64_t) {})) {
    metrics.emplace_back(row);
  }
  return metrics;
}

}  // namespace

TEST_CASE("the reference has no distance to itself, the quantized row has", "[trainer][evaluate]") {
  const std::vector<Measured> rows = evaluate({});
  CHECK(rows[0].kl == 0.0);
  CHECK(rows[0].agreement == 1.0);
  CHECK(rows[1].kl > 0.1);
  CHECK(rows[1].agreement < 1.0);
}

TEST_CASE("so many samples are taken that the asked-for tokens are scored, whatever a sample has",
          "[trainer][evaluate]") {
  std::vector<std::uint8_t> targets(10 * 4, 0);
  for (std::size_t window = 0; window < 10; ++window) {
    targets[window * 4 + 1] = 1;  // one target each, three in every fifth
    if (window % 5 == 0) targets[window * 4 + 2] = targets[window * 4 + 3] = 1;
  }
  const data::WindowSamples samples(
      data::Windows({std::vector<std::int32_t>(10 * 4, 1), targets}, 4, "made windows"));
  const auto taken = [&](std::int64_t tokens) {
    return evaluated_samples(samples, {.num_tokens = tokens});
  };
  CHECK(taken(1) == 1);  // the first window has three
  CHECK(taken(3) == 1);
  CHECK(taken(4) == 2);  // the first and the sixth window
  CHECK(taken(7) == 4);  // three windows, evenly spaced; only the first has three
  CHECK(taken(14) == 10);
  CHECK(taken(1000) == 10);
}

TEST_CASE("the first row is the cross-entropy of the float model", "[trainer][evaluate]") {
  const Experiment experiment = tiny_experiment();
  modules::FloatExecutor fp(experiment.model.weights, at::kFloat);
  const data::Batch batch = batch_of(made_windows(1, 20), {0});
  const at::Tensor log_p = logits_of(experiment.model.network, fp, batch.ids)[0].log_softmax(-1);
  double nll = 0.0;
  std::int64_t correct = 0;
  for (std::int64_t i = 0; i < 19; ++i) {
    const std::int64_t next = batch.ids[0][i + 1].item<std::int64_t>();
    nll -= log_p[i][next].item<double>() / 19;
    correct += log_p[i].argmax().item<std::int64_t>() == next;
  }
  const auto rows = evaluate_rows(experiment.model.network, {{"fp", &fp}}, made_windows(1, 20), {},
                                  Processes::alone(), [](std::int64_t) {});
  CHECK(Measured(rows[0]).nll == Approx(nll).epsilon(1e-5));
  CHECK(rows[0].samples[0][Quantity::kCorrect].value == static_cast<double>(correct));
}

TEST_CASE("a batch of more rows than the head takes at once is scored as its windows alone",
          "[trainer][evaluate]") {
  const Experiment experiment = tiny_experiment();
  modules::FloatExecutor fp(experiment.model.weights, at::kFloat);
  const auto windows = made_windows(5, 100);
  const auto score = [&](std::int64_t batch_size) {
    return evaluate_rows(experiment.model.network, {{"fp", &fp}}, windows,
                         {.batch_size = batch_size}, Processes::alone(), [](std::int64_t) {})[0];
  };
  REQUIRE(5 * 99 > kChunkRows);
  const RowSums together = score(5), alone = score(1);
  REQUIRE(together.samples.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto sum = [&](const RowSums& row, Quantity quantity) {
      return row.samples[i][quantity].value;
    };
    CHECK(sum(together, Quantity::kCorrect) == sum(alone, Quantity::kCorrect));
    CHECK(sum(together, Quantity::kNll) == Approx(sum(alone, Quantity::kNll)).epsilon(1e-6));
  }
}

TEST_CASE("samples are scored side by side as each alone", "[trainer][evaluate]") {
  const Experiment experiment = tiny_experiment();
  modules::FloatExecutor fp(experiment.model.weights, at::kFloat);
  QuantizedPath quantized(experiment, calibrated(experiment), fp);
  const std::vector<Row> rows{{"fp", &fp}, {"quantized", &quantized.executor}};
  const auto windows = made_windows(modules::kSwept + 3, 6);  // more than are swept together
  std::int64_t told = 0;
  const auto together =
      evaluate_rows(experiment.model.network, rows, windows, {.batch_size = 1}, Processes::alone(),
                    [&](std::int64_t samples) { told += samples; });
  CHECK(told == static_cast<std::int64_t>(windows.size()));
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto alone = evaluate_batch(experiment.model.network, rows, batch_of(windows, {i}));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (const Quantity quantity : {Quantity::kNll, Quantity::kKl, Quantity::kCorrect})
        CHECK(together[row].samples[i][quantity].value == alone[row].samples[0][quantity].value);
    }
  }
}

TEST_CASE(
    "Every token of a window but the first is scored, in whole windows, enough for num_tokens",
    "[trainer][evaluate]") {
  CHECK(evaluate({.num_tokens = 1000})[0].tokens == 5 * 19 + 3);  // all tokens there are
  CHECK(evaluate({.num_tokens = 38})[1].tokens == 2 * 19);
  CHECK(evaluate({.num_tokens = 39})[1].tokens == 3 * 19);
  CHECK(evaluated_samples(made_windows(5, 20, 4), {.num_tokens = 39}) == 3);
}

TEST_CASE("the batch size changes figures by no more than the rounding of float32 sums",
          "[trainer][evaluate]") {
  const std::vector<Measured> alone = evaluate({.batch_size = 1});
  for (const std::int64_t batch_size : {2, 4, 6}) {
    const std::vector<Measured> together = evaluate({.batch_size = batch_size});
    for (std::size_t row = 0; row < alone.size(); ++row) {
      CHECK(together[row].nll == Approx(alone[row].nll).epsilon(1e-7));
      CHECK(together[row].kl == Approx(alone[row].kl).epsilon(1e-7));
      CHECK(together[row].accuracy == alone[row].accuracy);
      CHECK(together[row].agreement == alone[row].agreement);
    }
  }
}
