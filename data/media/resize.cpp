#include "data/media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr int kFractionBits = 22;  // 8 bits of pixel and 2 of headroom: bicubic overshoots

/// Output pixel i is the sum of weights[k] * input[first + k].
struct Taps {
  int first;
  std::vector<std::int32_t> weights;
};

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

/// Keys' cubic with a = -0.5.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

std::int32_t fixed_point(double weight) {
  return static_cast<std::int32_t>(std::copysign(0.5, weight) + weight * (1 << kFractionBits));
}

Taps taps_at(int i, double scale, int size, Resample resample) {
  const bool cubic = resample == Resample::kBicubic;
  const double stretch = std::max(scale, 1.0);
  const double support = (cubic ? 2.0 : 1.0) * stretch;
  const double center = (i + 0.5) * scale;
  const int first = std::max(0, static_cast<int>(center - support + 0.5));
  const int last = std::min(size, static_cast<int>(center + support + 0.5));
  std::vector<double> weights;
  double sum = 0;
  for (int x = first; x < last; ++x) {
    const double distance = (x - center + 0.5) * (1.0 / stretch);
    weights.push_back(cubic ? bicubic(distance) : bilinear(distance));
    sum += weights.back();
  }
  Taps taps{first, {}};
  for (const double weight : weights) taps.weights.push_back(fixed_point(weight / sum));
  return taps;
}

std::vector<Taps> all_taps(int from, int to, Resample resample) {
  std::vector<Taps> taps;
  for (int i = 0; i < to; ++i)
    taps.push_back(taps_at(i, static_cast<double>(from) / to, from, resample));
  return taps;
}

/// The weighted sum of bytes that lie `stride` apart.
std::uint8_t weighted(const std::uint8_t* input, std::size_t stride, const Taps& taps) {
  std::int32_t sum = 1 << (kFractionBits - 1);
  input += static_cast<std::size_t>(taps.first) * stride;
  for (std::size_t k = 0; k < taps.weights.size(); ++k) sum += input[k * stride] * taps.weights[k];
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

Image blank(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
}

Image resize_rows(const Image& image, int width, Resample resample) {
  if (width == image.width) return image;
  const std::vector<Taps> taps = all_taps(image.width, width, resample);
  Image result = blank(width, image.height);
  std::uint8_t* out = result.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.rgb.data() + std::size_t{3} * image.width * y;
    for (const Taps& t : taps)
      for (int c = 0; c < 3; ++c) *out++ = weighted(row + c, 3, t);
  }
  return result;
}

Image resize_columns(const Image& image, int height, Resample resample) {
  if (height == image.height) return image;
  const std::size_t stride = std::size_t{3} * image.width;
  Image result = blank(image.width, height);
  std::uint8_t* out = result.rgb.data();
  for (const Taps& t : all_taps(image.height, height, resample))
    for (std::size_t x = 0; x < stride; ++x) *out++ = weighted(image.rgb.data() + x, stride, t);
  return result;
}

/// Whether Pillow takes them first: the order shows, as each pass rounds.
bool columns_first(const Image& image, int width, int height) {
  return height < image.height && image.height - height > 2 * (image.width - width);
}

void check_sides(const char* what, int width, int height) {
  if (std::min(width, height) < 1 || std::max(width, height) > kMaxSide)
    throw Error("resize: expected {} sides of 1 to {} pixels, got {} x {}", what, kMaxSide, width,
                height);
}

}  // namespace

Image resize(const Image& image, int width, int height, Resample resample) {
  check_sides("input", image.width, image.height);
  check_sides("output", width, height);
  if (columns_first(image, width, height))
    return resize_rows(resize_columns(image, height, resample), width, resample);
  return resize_columns(resize_rows(image, width, resample), height, resample);
}

}  // namespace dualpath::data
