#include "data/batch.h"

#include "tests/support/catch.h"

using namespace dualpath::data;

TEST_CASE("a batch pads on the right and predicts the next token", "[data][batch]") {
  const Windows windows({10, 11, 12, 13, 14}, 3, "text");
  const std::vector<std::size_t> chosen{1, 0};
  const Batch batch = make_batch(windows, chosen);
  CHECK(batch.ids.equal(torch::tensor({{13, 14, 0}, {10, 11, 12}}, torch::kInt64)));
  CHECK(batch.mask.equal(torch::tensor({{true, true, false}, {true, true, true}})));
  CHECK(batch.targets.equal(torch::tensor({{14, -100, -100}, {11, 12, -100}}, torch::kInt64)));
  CHECK(batch.counted() == 3);
}

TEST_CASE("a batch is as long as its longest window", "[data][batch]") {
  const Windows windows({10, 11, 12, 13, 14}, 3, "text");
  const std::vector<std::size_t> last{1};
  CHECK(make_batch(windows, last).ids.sizes() == torch::IntArrayRef{1, 2});
}
