#include "data/samples/batch.h"

#include "data/samples/samples.h"
#include "tests/support/catch.h"

using namespace dualpath::data;

TEST_CASE("a batch pads on the right and predicts the next token", "[data][batch]") {
  const Windows windows({{10, 11, 12, 13, 14}}, 3, "text");
  const std::vector<std::size_t> chosen{1, 0};
  const Batch batch = make_batch(windows, chosen);
  CHECK(batch.ids.equal(torch::tensor({{13, 14, 0}, {10, 11, 12}}, torch::kInt64)));
  CHECK(batch.mask.equal(torch::tensor({{true, true, false}, {true, true, true}})));
  CHECK(batch.targets.equal(torch::tensor({{14, -100, -100}, {11, 12, -100}}, torch::kInt64)));
  CHECK(batch.counted() == 3);
}

TEST_CASE("a batch is as long as its longest window", "[data][batch]") {
  const Windows windows({{10, 11, 12, 13, 14}}, 3, "text");
  const std::vector<std::size_t> last{1};
  CHECK(make_batch(windows, last).ids.sizes() == torch::IntArrayRef{1, 2});
}

TEST_CASE("a token that is context only is seen but not predicted", "[data][batch]") {
  const Windows windows({{10, 11, 12, 13, 14}, {1, 0, 1, 1, 1}}, 3, "text");
  const std::vector<std::size_t> chosen{0, 1};
  const Batch batch = make_batch(windows, chosen);
  CHECK(batch.targets.equal(torch::tensor({{-100, 12, -100}, {14, -100, -100}}, torch::kInt64)));
  CHECK(batch.mask.equal(torch::tensor({{true, true, true}, {true, true, false}})));
  CHECK(batch.counted() == 2);
}

TEST_CASE("samples' hash is that of their tokens, and another one where only some are targets",
          "[data][batch]") {
  const std::vector<std::int32_t> ids{10, 11, 12, 13};
  const auto hash = [&](const std::vector<std::uint8_t>& targets) {
    dualpath::Sha256 sum;
    WindowSamples(Windows({ids, targets}, 2, "text")).update(sum);
    return sum.hex();
  };
  dualpath::Sha256 of_ids;
  of_ids.update(std::as_bytes(std::span(ids)));
  CHECK(hash({}) == of_ids.hex());
  CHECK(hash({1, 1, 0, 1}) != hash({}));
  CHECK(hash({1, 1, 0, 1}) != hash({0, 1, 0, 1}));
}
