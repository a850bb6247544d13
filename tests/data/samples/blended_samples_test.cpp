#include "data/samples/blended_samples.h"

#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::data;

namespace {

std::unique_ptr<Samples> windows(std::vector<std::int32_t> ids) {
  return std::make_unique<WindowSamples>(Windows({std::move(ids)}, 2, "text"));
}

BlendedSamples blend(std::int64_t first_ratio) {
  std::vector<BlendedSamples::Source> sources;
  sources.push_back({windows({10, 11, 12, 13}), first_ratio});
  sources.push_back({windows({20, 21}), 1});
  return BlendedSamples(std::move(sources));
}

std::string hash_of(const Samples& samples) {
  Sha256 hash;
  samples.update(hash);
  return hash.hex();
}

}  // namespace

TEST_CASE("a blend's samples stand one source behind the other", "[data][blend]") {
  const BlendedSamples samples = blend(3);
  CHECK(samples.size() == 3);
  CHECK(samples.targets(2) == 1);
  const std::vector<std::size_t> chosen{2, 1};
  CHECK(samples.batch(chosen).ids.equal(torch::tensor({{20, 21}, {12, 13}}, torch::kInt64)));
  const auto groups = samples.groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].size == 2);
  CHECK(groups[0].ratio == 3);
  CHECK(groups[1].size == 1);
}

TEST_CASE("other ratios are another training", "[data][blend]") {
  CHECK(hash_of(blend(3)) == hash_of(blend(3)));
  CHECK(hash_of(blend(3)) != hash_of(blend(2)));
}
