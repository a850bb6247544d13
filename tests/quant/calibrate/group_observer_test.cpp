#include "quant/calibrate/group_observer.h"

#include "tests/support/catch.h"

using namespace dualpath::quant;
using dualpath::modules::Modality;

TEST_CASE("a group keeps the range of all its rows and of each modality's", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMinMax);
  observer.observe({{Modality::kText, {-1.0f, 2.0f, 3}}, {Modality::kImage, {-8.0f, 1.0f, 5}}});
  observer.observe({{Modality::kText, {-2.0f, 1.0f, 1}}});
  CHECK(observer.range().min == -8.0f);
  CHECK(observer.range().max == 2.0f);
  CHECK(observer.range().count == 9);
  const ModalityRanges ranges = observer.modality_ranges();
  REQUIRE(ranges.size() == 2);
  CHECK(ranges.at(Modality::kText).min == -2.0f);
  CHECK(ranges.at(Modality::kText).max == 2.0f);
  CHECK(ranges.at(Modality::kText).count == 4);
  CHECK(ranges.at(Modality::kImage).min == -8.0f);
  CHECK(ranges.at(Modality::kImage).max == 1.0f);
  CHECK(ranges.at(Modality::kImage).count == 5);
}

TEST_CASE("a mean over calls is one over those that showed the modality", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMovingAverage);
  observer.observe({{Modality::kText, {0.0f, 1.0f, 1}}});
  observer.observe({{Modality::kText, {0.0f, 2.0f, 1}}, {Modality::kImage, {0.0f, 11.0f, 1}}});
  CHECK(observer.range().max == Approx(1.0f + 0.01f * 10.0f));
  CHECK(observer.modality_ranges().at(Modality::kText).max == Approx(1.01f));
  CHECK(observer.modality_ranges().at(Modality::kImage).max == 11.0f);
}

TEST_CASE("a group that saw nothing has no modality", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMinMax);
  observer.observe({});
  CHECK(observer.range().count == 0);
  CHECK(observer.modality_ranges().empty());
}
