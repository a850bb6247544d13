#include "quant/calibrate/group_observer.h"

#include "tests/support/catch.h"

using namespace dualpath::quant;
using dualpath::modules::Modality;
using torch::Tensor;

namespace {

/// Shows rows of one value each, and what they stand for.
void observe(GroupObserver& observer, const std::vector<float>& rows,
             const std::vector<Modality>& kinds) {
  std::vector<ModalityRows> counted;
  for (const Modality modality : {Modality::kText, Modality::kImage}) {
    Tensor mask = torch::zeros(static_cast<std::int64_t>(kinds.size()), at::kBool);
    for (std::size_t i = 0; i < kinds.size(); ++i)
      mask[static_cast<std::int64_t>(i)] = kinds[i] == modality;
    counted.push_back({modality, mask});
  }
  observer.observe(torch::tensor(rows).unsqueeze(1), counted);
}

constexpr Modality kText = Modality::kText, kImage = Modality::kImage;

}  // namespace

TEST_CASE("a group keeps the range of all its rows and of each modality's", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMinMax);
  observe(observer, {-1.0f, 2.0f, 0.0f, -8.0f, 1.0f, 0.0f, 0.0f, 0.0f},
          {kText, kText, kText, kImage, kImage, kImage, kImage, kImage});
  observe(observer, {-2.0f}, {kText});
  CHECK(observer.all().range().min == -8.0f);
  CHECK(observer.all().range().max == 2.0f);
  CHECK(observer.all().range().count == 9);
  const ModalityRanges ranges = observer.modality_ranges();
  REQUIRE(ranges.size() == 2);
  CHECK(ranges.at(kText).min == -2.0f);
  CHECK(ranges.at(kText).max == 2.0f);
  CHECK(ranges.at(kText).count == 4);
  CHECK(ranges.at(kImage).min == -8.0f);
  CHECK(ranges.at(kImage).max == 1.0f);
  CHECK(ranges.at(kImage).count == 5);
}

TEST_CASE("a mean over calls is one over those that showed the modality", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMovingAverage);
  observe(observer, {1.0f}, {kText});
  observe(observer, {2.0f, 11.0f}, {kText, kImage});
  CHECK(observer.all().range().max == Approx(1.0f + 0.01f * 10.0f));
  CHECK(observer.modality_ranges().at(kText).max == Approx(1.01f));
  CHECK(observer.modality_ranges().at(kImage).max == 11.0f);
  CHECK(observer.of(kImage)->range().max == 11.0f);
}

TEST_CASE("a group that saw nothing has no modality", "[quant][observer]") {
  GroupObserver observer(ObserverKind::kMinMax);
  observer.observe(torch::ones({2, 3}), {});
  observer.observe(torch::ones({2, 3}), {{kText, torch::zeros(2, at::kBool)}});
  CHECK(observer.all().range().count == 0);
  CHECK(observer.modality_ranges().empty());
  CHECK(observer.of(kText) == nullptr);
}

TEST_CASE("a merged group has all that both saw, a modality of one of them, too",
          "[quant][observer]") {
  const ObserverKind kind = GENERATE(ObserverKind::kMinMax, ObserverKind::kMovingAverage);
  GroupObserver whole(kind), first(kind), later(kind);
  for (GroupObserver* observer : {&whole, &first})
    observe(*observer, {1.0f, -3.0f}, {kText, kText});
  for (GroupObserver* observer : {&whole, &later})
    observe(*observer, {2.0f, 9.0f}, {kText, kImage});
  first.add(later.seen());
  CHECK(first.all().range().max == whole.all().range().max);
  CHECK(first.all().range().count == 4);
  for (const Modality modality : {kText, kImage})
    CHECK(first.of(modality)->range().max == whole.of(modality)->range().max);
}
