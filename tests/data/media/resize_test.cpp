#include "data/media/resize.h"

#include <catch2/catch.hpp>

#include "data/base/error.h"
#include "tests/data/media/expected_image.h"

using namespace dualpath;
using namespace dualpath::data;

TEST_CASE("a picture is resized as Pillow does, to the bit", "[data][media]") {
  const Image input = expected_image("resize.input");
  const auto [width, height] = GENERATE(table<int, int>(
      {{50, 100}, {224, 224}, {336, 28}, {28, 336}, {101, 30}, {40, 333}, {1, 1}, {101, 333}}));
  const std::string name = fmt::format("resize.{}x{}.", width, height);
  CAPTURE(name);
  const Image bilinear = resize(input, width, height, Resample::kBilinear);
  const Image bicubic = resize(input, width, height, Resample::kBicubic);
  CHECK(largest_difference(bilinear, expected_image(name + "bilinear")) == 0);
  CHECK(largest_difference(bicubic, expected_image(name + "bicubic")) == 0);
}

TEST_CASE("sides that are out of range are refused", "[data][media]") {
  const Image pixel{1, 1, {1, 2, 3}};
  CHECK_THROWS_AS(resize(pixel, 0, 1, Resample::kBilinear), Error);
  CHECK_THROWS_AS(resize(pixel, 1, kMaxSide + 1, Resample::kBilinear), Error);
  CHECK_THROWS_AS(resize(Image{}, 1, 1, Resample::kBicubic), Error);
}
