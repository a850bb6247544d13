#include "data/media/image_processor.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "data/base/error.h"
#include "tests/data/media/expected_image.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using Catch::Contains;

namespace {

const std::filesystem::path kProcessors = "build/reference/image_processors";

template <class T>
std::vector<T> expected(const std::string& name) {
  const SafetensorsReader reader(kProcessors / "expected.safetensors");
  const TensorView view = reader.tensor(name);
  const auto* first = reinterpret_cast<const T*>(view.bytes.data());
  return {first, first + view.bytes.size() / sizeof(T)};
}

ImageProcessor processor(const std::string& name,
                         ImageBackend backend = ImageBackend::kTorchvision) {
  auto options = ImageProcessorOptions::from_json(
      JsonObject::read(kProcessors / name / "preprocessor_config.json"));
  options.backend = backend;
  return ImageProcessor(options);
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// None; but where a processor lacks AVX2, torchvision takes its bilinear filter to float: that may
/// move a byte by one, of which this is the share in a value.
float tolerance(const std::string& name, ImageBackend backend) {
  if (backend == ImageBackend::kPillow) return 0;
  if (name == "vit") return 1.0001F / (255 * 0.5F);
  if (name == "glm4v_small") return 1.0001F / 255;
  return 0;
}

/// An image whose bytes count up.
Image counting(int width, int height) {
  Image image{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i);
  return image;
}

ImageProcessorOptions from_text(const std::string& json) {
  return ImageProcessorOptions::from_json(JsonObject::parse(json, "c.json"));
}

std::string refusal(const std::string& json) {
  return error_message([&] { from_text(json); });
}

constexpr const char* kGlm4v = R"({"image_processor_type": "Glm4vImageProcessor", )";
constexpr const char* kVit = R"({"image_processor_type": "ViTImageProcessor", )";

}  // namespace

TEST_CASE("images are prepared as transformers does, on Pillow and on torchvision",
          "[data][media]") {
  const std::string name = GENERATE("vit", "vit_bicubic", "vit_raw", "glm4v", "glm4v_small");
  const std::string size =
      GENERATE("1x1", "5x3", "27x29", "190x9", "11x350", "224x224", "333x101", "701x523");
  const auto [backend, suffix] = GENERATE(table<ImageBackend, std::string>(
      {{ImageBackend::kPillow, "pil"}, {ImageBackend::kTorchvision, "torchvision"}}));
  CAPTURE(name, size, suffix);
  const PreparedImage prepared =
      processor(name, backend)(expected_image("picture." + size, kProcessors));
  const std::string key = name + "." + size + ".";
  CHECK(largest_difference(prepared.values, expected<float>(key + suffix)) <=
        tolerance(name, backend));
  if (name.starts_with("glm4v")) {
    const auto grid = expected<std::int64_t>(key + "grid");
    CHECK(prepared.grid == ImageGrid{grid[0], grid[1]});
  }
}

TEST_CASE("pictures have as many patches as transformers says", "[data][media]") {
  const std::string name = GENERATE("glm4v", "glm4v_small");
  const ImageProcessor processor = ::processor(name);
  const auto sizes = expected<std::int64_t>(name + ".sizes");
  REQUIRE(sizes.size() > 3 * 200);
  for (std::size_t i = 0; i < sizes.size(); i += 3) {
    const ImageGrid grid =
        processor.grid(static_cast<int>(sizes[i + 1]), static_cast<int>(sizes[i]));
    CAPTURE(sizes[i], sizes[i + 1]);
    CHECK(grid.rows * grid.columns == sizes[i + 2]);
  }
}

TEST_CASE("planes of an image that is not resized hold its channels", "[data][media]") {
  ImageProcessorOptions options;
  options.do_resize = options.do_rescale = options.do_normalize = false;
  const PreparedImage prepared = ImageProcessor(options)(counting(2, 1));
  CHECK(prepared.grid == ImageGrid{1, 2});
  CHECK(prepared.values == std::vector<float>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("patches of a block lie together, each channel by channel, frame by frame",
          "[data][media]") {
  ImageProcessorOptions options = ImageProcessorOptions::glm4v();
  options.do_resize = options.do_rescale = options.do_normalize = false;
  options.patch_size = 1;
  options.limits.factor = options.merge_size = 2;
  const ImageProcessor processor(options);
  const PreparedImage prepared = processor(counting(4, 2));
  CHECK(prepared.grid == ImageGrid{2, 4});
  // clang-format off
  CHECK(prepared.values == std::vector<float>{
      0, 0, 1, 1, 2, 2,        3, 3, 4, 4, 5, 5,
      12, 12, 13, 13, 14, 14,  15, 15, 16, 16, 17, 17,
      6, 6, 7, 7, 8, 8,        9, 9, 10, 10, 11, 11,
      18, 18, 19, 19, 20, 20,  21, 21, 22, 22, 23, 23});
  // clang-format on
  CHECK_THAT(error_message([&] { processor(counting(4, 3)); }),
             Contains("image of 4 x 3 pixels: expected sides that 2 divides"));
}

TEST_CASE("an image too large for patches is refused, where it is not resized", "[data][media]") {
  ImageProcessorOptions options = ImageProcessorOptions::glm4v();
  options.do_resize = false;
  const ImageProcessor processor(options);
  CHECK(processor.grid(5600, 5600) == ImageGrid{400, 400});
  CHECK_THAT(error_message([&] { processor.grid(5600, 6020); }),
             Contains("image of 5600 x 6020 pixels: expected at most 67108864 in 2 frames"));
}

TEST_CASE("configurations of both kinds are read, Fast or not", "[data][media]") {
  CHECK(from_text(R"({"image_processor_type": "ViTImageProcessorFast"})") ==
        ImageProcessorOptions());
  CHECK(from_text(R"({"image_processor_type": "Glm4vImageProcessorFast"})") ==
        ImageProcessorOptions::glm4v());
  const ImageProcessorOptions square = from_text(std::string(kVit) + R"("size": 384})");
  CHECK(square.size == ImageSize{384, 384});
  const ImageProcessorOptions glm =
      from_text(std::string(kGlm4v) + R"("size": {"shortest_edge": 100, "longest_edge": 5000},
                "patch_size": 8, "merge_size": 1, "temporal_patch_size": 4, "resample": null})");
  CHECK(glm.limits == SizeLimits{8, 4, 100, 5000});
  CHECK(glm.resample == Resample::kBicubic);
}

TEST_CASE("configurations that we cannot follow are refused", "[data][media]") {
  CHECK_THAT(refusal("{}"), Contains("c.json: image_processor_type"));
  CHECK_THAT(
      refusal(R"({"image_processor_type": "CLIPImageProcessor"})"),
      Contains("expected ViTImageProcessor or Glm4vImageProcessor, got \"CLIPImageProcessor\""));
  const auto [begin, rest, message] = GENERATE(table<std::string, std::string, std::string>({
      {kVit, R"("do_pad": true})", "c.json: do_pad: expected false, got true"},
      {kVit, R"("do_center_crop": true})", "c.json: do_center_crop: expected false, got true"},
      {kVit, R"("resample": 1})", "c.json: resample: expected 2 (bilinear) or 3 (bicubic), got 1"},
      {kVit, R"("size": {"height": 0, "width": 9}})", "c.json: size.height"},
      {kVit, R"("size": {"shortest_edge": 224}})", "c.json: size.height"},
      {kVit, R"("size": 16385})", "c.json: size"},
      {kVit, R"("size": 16384})", "expected at most 67108864 pixels, got 16384 x 16384"},
      {kVit, R"("image_std": [0.5, 0, 0.5]})", "c.json: image_std[1]"},
      {kVit, R"("image_mean": [0.5]})", "c.json: image_mean: expected 3 numbers, got 1"},
      {kVit, R"("rescale_factor": 0})", "c.json: rescale_factor"},
      {kGlm4v, R"("patch_size": 0})", "c.json: patch_size"},
      {kGlm4v, R"("merge_size": 17})", "c.json: merge_size"},
      {kGlm4v, R"("temporal_patch_size": -2})", "c.json: temporal_patch_size"},
      {kGlm4v, R"("size": {"shortest_edge": 9}})", "c.json: size.longest_edge"},
      {kGlm4v, R"("size": {"shortest_edge": 9, "longest_edge": 8}})", "c.json: size.shortest_edge"},
      {kGlm4v, R"("size": {"shortest_edge": 9, "longest_edge": 67108865}})",
       "c.json: size.longest_edge"},
  }));
  CAPTURE(rest);
  CHECK_THAT(refusal(begin + rest), Contains(message));
}
