#include "trainer/evaluate/table.h"

#include "tests/support/catch.h"
#include "trainer/evaluate/row.h"

using namespace dualpath::trainer;

namespace {

/// Two windows of ten tokens each.
RowSums sums(const std::string& name, double nll, double kl) {
  SampleSums window;
  window[Quantity::kNll].add(nll, 10);
  window[Quantity::kKl].add(kl, 10);
  window[Quantity::kCorrect].add(4, 10);
  window[Quantity::kAgreed].add(5, 10);
  return {name, {window, window}};
}

const std::vector<Row> kRun{{.name = kFp, .bytes = 400},
                            {.name = kQuantized, .bytes = 100},
                            {.name = kCorrected, .bytes = 110, .steps = 8, .recovers = true},
                            {.name = kControl, .bytes = 410, .steps = 8}};

}  // namespace

TEST_CASE("a row's figures are its metrics and its bytes", "[trainer][table]") {
  const auto figures = figures_of(
      kRun,
      {sums(kFp, 20, 0), sums(kQuantized, 30, 8), sums(kCorrected, 25, 2), sums(kControl, 15, 1)},
      /*bootstrap_samples=*/20, /*seed=*/1);
  REQUIRE(figures.size() == 4);
  CHECK(figures[1].name == kQuantized);
  CHECK(figures[1].figures.at("perplexity") == Approx(std::exp(3.0)));
  CHECK(figures[1].figures.at("accuracy") == 0.4);
  CHECK(figures[1].figures.at("kl") == Approx(0.8));
  CHECK(figures[1].figures.at("agreement") == 0.5);
  CHECK(figures[1].bytes == 100);
  CHECK(figures[1].tokens == 20);
}

TEST_CASE("only a row that recovers is held against what quantizing lost", "[trainer][table]") {
  const auto figures = figures_of(
      kRun,
      {sums(kFp, 20, 0), sums(kQuantized, 30, 8), sums(kCorrected, 25, 2), sums(kControl, 15, 1)},
      /*bootstrap_samples=*/20, /*seed=*/1);
  CHECK(figures[2].recovery.value().at("kl").value().value == Approx(0.75));
  CHECK(figures[2].recovery.value().at("nll").value().value == Approx(0.5));
  for (const std::size_t other : {0, 1, 3}) CHECK_FALSE(figures[other].recovery);
}

TEST_CASE("without a row fp there is nothing to compare with", "[trainer][table]") {
  const auto figures =
      figures_of({kRun[1], kRun[2]}, {sums(kQuantized, 30, 0), sums(kCorrected, 25, 2)},
                 /*bootstrap_samples=*/20, /*seed=*/1);
  for (const RowFigures& row : figures) {
    CHECK_FALSE(row.figures.contains("kl"));
    CHECK_FALSE(row.figures.contains("agreement"));
    CHECK_FALSE(row.recovery);
  }
  CHECK(figures[1].figures.at("perplexity") == Approx(std::exp(2.5)));
}

TEST_CASE("frames have a distance in every row but fp, which is their reference",
          "[trainer][table]") {
  const auto with_frames = [](const char* name, double distance) {
    RowSums row = sums(name, 20, 0);
    for (SampleSums& sample : row.samples) sample[Quantity::kFrames].add(distance, 16);
    return row;
  };
  const auto figures =
      figures_of({kRun[0], kRun[1], kRun[2]},
                 {with_frames(kFp, 0), with_frames(kQuantized, 8), with_frames(kCorrected, 2)},
                 /*bootstrap_samples=*/20, /*seed=*/1);
  CHECK_FALSE(figures[0].figures.contains("frames"));
  CHECK(figures[1].figures.at("frames") == 0.5);
  CHECK(figures[1].intervals.at("frames").low == 0.5);
  CHECK(figures[2].recovery.value().at("frames").value().value == Approx(0.75));
  CHECK_FALSE(figures[2].recovery->contains("wer"));
}
