#include "data/media/smart_resize.h"

#include <catch2/catch.hpp>

#include "data/base/error.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using Catch::Contains;

namespace {

std::string size_refusal(ImageSize image, const SizeLimits& limits = {}) {
  return error_message([&] { smart_resize(image, limits); });
}

}  // namespace

TEST_CASE("both sides become the nearest multiples of the factor", "[data][media]") {
  CHECK(smart_resize({300, 411}, {}) == ImageSize{308, 420});
  CHECK(smart_resize({308, 420}, {}) == ImageSize{308, 420});
  CHECK(smart_resize({5 * 14, 7 * 14}, {28, 2, 1, 1 << 20}) == ImageSize{56, 112});  // half to even
}

TEST_CASE("an image is shrunk to the most pixels, and grown to the fewest", "[data][media]") {
  const SizeLimits limits{10, 2, 20000, 80000};
  CHECK(smart_resize({1000, 1000}, limits) == ImageSize{200, 200});
  CHECK(smart_resize({400, 1600}, limits) == ImageSize{100, 400});
  CHECK(smart_resize({20, 20}, limits) == ImageSize{100, 100});
}

TEST_CASE("a side shorter than the factor grows to it first", "[data][media]") {
  CHECK(smart_resize({1, 3}, {28, 2, 1, 1 << 20}) == ImageSize{28, 84});
}

TEST_CASE("a strip is refused", "[data][media]") {
  CHECK(smart_resize({28, 28 * 200}, {}) == ImageSize{28, 28 * 200});
  CHECK_THAT(size_refusal({28, 28 * 200 + 1}),
             Contains("image of 5601 x 28 pixels: expected one side at most 200 times the other"));
  CHECK_THAT(size_refusal({900, 3}), Contains("got 300"));
}

TEST_CASE("sizes that nothing can be made of are refused", "[data][media]") {
  CHECK_THAT(size_refusal({0, 5}), Contains("image of 5 x 0 pixels: expected sides of 1 to 16384"));
  CHECK_THAT(size_refusal({5, 16385}), Contains("expected sides of 1 to 16384"));
  CHECK_THAT(size_refusal({2, 200}, {256, 2, 1, 1 << 30}), Contains("sides of at most 16384"));
  CHECK_THAT(size_refusal({100, 100}, {4096, 5, 1, 1}), Contains("got 5 frames of 4096 x 4096"));
}
