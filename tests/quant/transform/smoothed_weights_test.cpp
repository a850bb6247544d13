#include "quant/transform/smoothed_weights.h"

#include "tests/support/layered_store.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

TEST_CASE("smoothed weights forget none of the methods of the store below", "[quant][smoothing]") {
  const auto below = std::make_shared<TellingStore>();
  check_tells(SmoothedWeights(below, {}, {}), *below);
  const modules::ChannelFold fold{
      .weight = "trained.weight", .bias = {}, .channels = 2, .consumers = {{"consumer", 2, 2}}};
  const SmoothedWeights smoothed(below, {{"group", fold}}, {{"group", at::full(2, 4.0f)}});
  check_tells(smoothed, *below);
  CHECK(smoothed.is_changed("trained.weight"));
  CHECK(smoothed.get("trained.weight").equal(at::full(2, 0.25f)));
}
