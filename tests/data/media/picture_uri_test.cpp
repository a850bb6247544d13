#include "data/media/picture_uri.h"

#include <catch2/catch.hpp>

#include "data/media/read_image.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

/// A picture whose pixels all differ.
Image made_image(int width, int height) {
  Image image{width, height, {}};
  for (int i = 0; i < 3 * width * height; ++i)
    image.rgb.push_back(static_cast<std::uint8_t>(i * 7 % 251));
  return image;
}

Image read_back(const std::string& uri) {
  constexpr std::string_view kStart = "data:image/png;base64,";
  REQUIRE(uri.starts_with(kStart));
  const TemporaryDirectory folder;
  write_plain(folder / "uri", uri);
  return read_image(MediaFile(folder / "uri", {kStart.size(), uri.size()}, "uri"));
}

}  // namespace

TEST_CASE("a small picture stands in a data URI pixel by pixel", "[data][picture_uri]") {
  for (const int width : {1, 2, 3, 40}) {  // all lengths modulo 3
    const Image image = made_image(width, 5), read = read_back(picture_uri(image, 64));
    CHECK(read.width == width);
    CHECK(read.height == 5);
    CHECK(read.rgb == image.rgb);
  }
}

TEST_CASE("a large picture is shrunk to the longer side, its form kept", "[data][picture_uri]") {
  const Image read = read_back(picture_uri(made_image(300, 150), 100));
  CHECK(read.width == 100);
  CHECK(read.height == 50);
  CHECK(read_back(picture_uri(made_image(1, 900), 100)).width == 1);
}
