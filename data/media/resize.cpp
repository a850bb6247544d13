#include "data/media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr int kPillowBits = 22;  // 8 bits of pixel and 2 of headroom: bicubic overshoots

/// Output pixel i is the sum of weights[k] * input[first + k].
template <class T>
struct Taps {
  int first;
  std::vector<T> weights;
};

/// A pass along rows or columns. Weights have `bits` bits behind the point.
struct Pass {
  std::vector<Taps<std::int32_t>> taps;
  int bits;
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

Taps<double> taps_at(int i, double scale, int size, Resample resample) {
  const bool cubic = resample == Resample::kBicubic;
  const double stretch = std::max(scale, 1.0);
  const double support = (cubic ? 2.0 : 1.0) * stretch;
  const double center = (i + 0.5) * scale;
  const int first = std::max(0, static_cast<int>(center - support + 0.5));
  const int last = std::min(size, static_cast<int>(center + support + 0.5));
  Taps<double> taps{first, {}};
  double sum = 0;
  for (int x = first; x < last; ++x) {
    const double distance = (x - center + 0.5) * (1.0 / stretch);
    taps.weights.push_back(cubic ? bicubic(distance) : bilinear(distance));
    sum += taps.weights.back();
  }
  for (double& weight : taps.weights) weight /= sum;
  return taps;
}

std::vector<Taps<double>> all_taps(int from, int to, Resample resample) {
  std::vector<Taps<double>> taps;
  for (int i = 0; i < to; ++i)
    taps.push_back(taps_at(i, static_cast<double>(from) / to, from, resample));
  return taps;
}

std::int32_t fixed_point(double weight, int bits) {
  return static_cast<std::int32_t>(std::copysign(0.5, weight) + weight * (1 << bits));
}

/// The most bits that leave the largest weight below 2^15.
int torchvision_bits(const std::vector<Taps<double>>& taps) {
  double largest = 0;
  for (const Taps<double>& t : taps)
    largest = std::max(largest, *std::max_element(t.weights.begin(), t.weights.end()));
  int bits = 0;
  while (bits < kPillowBits && fixed_point(largest, bits + 1) < 1 << 15) ++bits;
  return bits;
}

Pass make_pass(int from, int to, Resample resample, ImageBackend backend) {
  const std::vector<Taps<double>> exact = all_taps(from, to, resample);
  Pass pass{{}, backend == ImageBackend::kPillow ? kPillowBits : torchvision_bits(exact)};
  for (const Taps<double>& e : exact) {
    Taps<std::int32_t> taps{e.first, {}};
    for (const double weight : e.weights) taps.weights.push_back(fixed_point(weight, pass.bits));
    pass.taps.push_back(std::move(taps));
  }
  return pass;
}

/// The weighted sum of bytes that lie `stride` apart.
std::uint8_t weighted(const std::uint8_t* input, std::size_t stride, const Taps<std::int32_t>& taps,
                      int bits) {
  std::int32_t sum = 1 << (bits - 1);
  input += static_cast<std::size_t>(taps.first) * stride;
  for (std::size_t k = 0; k < taps.weights.size(); ++k) sum += input[k * stride] * taps.weights[k];
  return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
}

Image blank(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
}

Image resize_rows(const Image& image, int width, Resample resample, ImageBackend backend) {
  if (width == image.width) return image;
  const Pass pass = make_pass(image.width, width, resample, backend);
  Image result = blank(width, image.height);
  std::uint8_t* out = result.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.rgb.data() + std::size_t{3} * image.width * y;
    for (const auto& taps : pass.taps)
      for (int c = 0; c < 3; ++c) *out++ = weighted(row + c, 3, taps, pass.bits);
  }
  return result;
}

Image resize_columns(const Image& image, int height, Resample resample, ImageBackend backend) {
  if (height == image.height) return image;
  const Pass pass = make_pass(image.height, height, resample, backend);
  const std::size_t stride = std::size_t{3} * image.width;
  Image result = blank(image.width, height);
  std::uint8_t* out = result.rgb.data();
  for (const auto& taps : pass.taps)
    for (std::size_t x = 0; x < stride; ++x)
      *out++ = weighted(image.rgb.data() + x, stride, taps, pass.bits);
  return result;
}

/// Whether Pillow takes columns first. The order shows, since each pass rounds.
bool columns_first(const Image& image, int width, int height) {
  return height < image.height && image.height - height > 2 * (image.width - width);
}

void check_sides(const char* what, int width, int height) {
  if (std::min(width, height) < 1 || std::max(width, height) > kMaxSide)
    throw Error("resize: expected {} sides of 1 to {} pixels, got {} x {}", what, kMaxSide, width,
                height);
}

}  // namespace

Image resize(const Image& image, int width, int height, Resample resample, ImageBackend backend) {
  check_sides("input", image.width, image.height);
  check_sides("output", width, height);
  if (backend == ImageBackend::kPillow && columns_first(image, width, height))
    return resize_rows(resize_columns(image, height, resample, backend), width, resample, backend);
  return resize_columns(resize_rows(image, width, resample, backend), height, resample, backend);
}

}  // namespace dualpath::data
