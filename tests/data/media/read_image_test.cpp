#include "data/media/read_image.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "data/base/error.h"
#include "data/files/file.h"
#include "tests/data/media/expected_image.h"

#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

int difference_from_pillow(const std::string& file) {
  return largest_difference(read_image(kImages / file), expected_image(file));
}

std::filesystem::path write(const TemporaryDirectory& directory, const std::string& bytes) {
  const std::filesystem::path path = directory.path() / "picture";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

/// Whether an Error that names the file, rather than a picture, comes of these bytes.
bool is_refused(const TemporaryDirectory& directory, const std::string& bytes) {
  const std::filesystem::path path = write(directory, bytes);
  try {
    const Image image = read_image(path);
    CHECK(image.rgb.size() == std::size_t{3} * image.width * image.height);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).starts_with(path.string()));
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("PNG and WebP files have the pixels that Pillow sees", "[data][media]") {
  const std::string file = GENERATE("rgb.png", "gray.png", "palette.png", "rgba.png", "gray16.png",
                                    "rgb.webp", "rgba.webp");
  CAPTURE(file);
  CHECK(difference_from_pillow(file) == 0);
}

TEST_CASE("JPEG files have Pillow's pixels, but for its own libjpeg's rounding", "[data][media]") {
  const std::string file = GENERATE("rgb.jpg", "gray.jpg");
  CAPTURE(file);
  CHECK(difference_from_pillow(file) <= 1);
}

TEST_CASE("JPEG files are turned upright as their EXIF orientation says", "[data][media]") {
  const int orientation = GENERATE(range(1, 9));
  CAPTURE(orientation);
  CHECK(difference_from_pillow(fmt::format("orientation{}.jpg", orientation)) <= 1);
}

TEST_CASE("CMYK is refused", "[data][media]") {
  CHECK_THAT(error_message([] { read_image(kImages / "cmyk.jpg"); }), Catch::Contains("CMYK"));
}

TEST_CASE("a file that ends early is refused or whole, wherever it ends", "[data][media]") {
  const TemporaryDirectory directory;
  const std::string file =
      GENERATE("rgb.jpg", "gray16.png", "palette.png", "rgb.webp", "rgba.webp");
  const std::string bytes = read_file(kImages / file);
  CAPTURE(file);
  for (std::size_t twentieth = 0; twentieth < 20; ++twentieth)
    CHECK(is_refused(directory, bytes.substr(0, bytes.size() * twentieth / 20)));
  CHECK_FALSE(is_refused(directory, bytes));
}

TEST_CASE("a picture too large is refused by its header", "[data][media]") {
  const TemporaryDirectory directory;
  // 60000 x 60000, 8-bit RGB, its checksum, and the start of no pixels.
  using namespace std::string_literals;
  const std::string header =
      "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\xEA\x60\0\0\xEA\x60\x08\x02\0\0\0\017\260\342\025"
      "\0\0\0\0IDAT"s;
  CHECK_THAT(error_message([&] { read_image(write(directory, header)); }),
             Catch::Contains("60000 x 60000"));
}

TEST_CASE("what is no picture is refused", "[data][media]") {
  const TemporaryDirectory directory;
  CHECK(is_refused(directory, ""));
  CHECK(is_refused(directory, "GIF89a"));
}
