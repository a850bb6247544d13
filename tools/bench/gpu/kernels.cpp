// Compares each CUDA kernel with its twin on the CPU over random data, and times it: one line of
// JSON for tools/bench/gpu.py. Needs no torch and none of the project's libraries.
//
//   gpu_kernels      exit code 1: no device, or a kernel is wrong

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "tools/bench/gpu/cases.h"

namespace dualpath::bench {
namespace {

using data::Element;

/// The largest error that rounding explains, by element type.
struct Bounds {
  double float32, bfloat16, float16;
  double of(Element element) const {
    return element == Element::kFloat32    ? float32
           : element == Element::kBFloat16 ? bfloat16
                                           : float16;
  }
};
constexpr Bounds kSameBits{0.0, 0.0, 0.0};
constexpr Bounds kOneRounding{1e-5, 1.0 / 128, 1.0 / 1024};
constexpr Bounds kSumsOfManyRows{1e-4, 1.0 / 128, 1.0 / 1024};

class Report {
 public:
  void add(const std::string& name, double error, bool right, Shape timed, double seconds,
           double bytes) {
    all_right_ = all_right_ && right;
    char line[256];
    std::snprintf(line, sizeof(line),
                  "%s\"%s\": {\"ok\": %s, \"equal\": %s, \"max_error\": %.3g, \"shape\": [%lld, "
                  "%lld], \"seconds\": %.4g, \"gb_per_s\": %.4g}",
                  lines_.empty() ? "" : ", ", name.c_str(), right ? "true" : "false",
                  error == 0.0 ? "true" : "false", std::isfinite(error) ? error : 1e30,
                  static_cast<long long>(timed.rows), static_cast<long long>(timed.width), seconds,
                  bytes / seconds * 1e-9);
    lines_ += line;
    std::fprintf(stderr, "gpu_kernels: %s %s\n", name.c_str(), right ? "ok" : "WRONG");
  }
  bool all_right() const { return all_right_; }
  const std::string& json() const { return lines_; }

 private:
  std::string lines_;
  bool all_right_ = true;
};

/// Compares in three element types and some shapes, which fill no whole blocks; times in bfloat16.
template <class Kernel>
void measure(Report& report, const std::string& name, Bounds bounds,
             const std::vector<Shape>& compared, Shape timed) {
  double worst = 0.0;
  bool right = true;
  for (const Element element : {Element::kFloat32, Element::kBFloat16, Element::kFloat16}) {
    for (const Shape shape : compared) {
      Kernel kernel(element, shape);
      kernel.expect();
      kernel.run();
      check(cudaDeviceSynchronize());
      const double error = kernel.error();
      right = right && error <= bounds.of(element);
      worst = std::isnan(error) ? error : std::max(worst, error);
    }
  }
  const Kernel kernel(Element::kBFloat16, timed);
  report.add(name, worst, right, timed, seconds_of([&] { kernel.run(); }), kernel.bytes());
}

/// Checks all finite values of a 16-bit type on many grids, ties and saturation among them.
void check_all_patterns(Report& report, const std::string& name, Element element) {
  std::vector<float> all;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = element == Element::kBFloat16 ? data::bfloat16_to_float(half)
                                                      : data::float16_to_float(half);
    if (std::isfinite(value)) all.push_back(value);
  }
  const Shape shape{1, static_cast<std::int64_t>(all.size())};
  double worst = 0.0;
  for (int i = 0; i < 64; ++i) {
    const float scale = std::ldexp(1.0f + 0.37f * static_cast<float>(i % 7), i - 40);
    Quantize kernel(element, shape, all, scale);
    kernel.expect();
    kernel.run();
    check(cudaDeviceSynchronize());
    worst = std::max(worst, kernel.error());
  }
  const Quantize kernel(element, shape);
  report.add(name, worst, worst == 0.0, shape, seconds_of([&] { kernel.run(); }), kernel.bytes());
}

void measure_all(Report& report) {
  // Shapes of a 9B model; 8192 rows are more than a cache holds.
  const Shape large{8192, 4096}, tokens{2048, 4096}, token{1, 4096}, small{2048, 576},
      head{1024, 151552};
  const std::vector<Shape> rows{{1, 64}, {67, 576}, {33, 4096}};
  const std::vector<Shape> heads{{3, 1000}, {2, 49152}};
  measure<RmsNorm>(report, "rms_norm", kSameBits, rows, large);
  measure<RmsNormBackward>(report, "rms_norm_backward", kSameBits, rows, large);
  measure<NormQuantize>(report, "norm_quantize", kSameBits, rows, large);
  measure<NormQuantizeBackward>(report, "norm_quantize_backward", kSameBits, rows, large);
  measure<Quantize>(report, "quantize", kSameBits, rows, {2048, 13696});
  check_all_patterns(report, "quantize_all_bfloat16", Element::kBFloat16);
  check_all_patterns(report, "quantize_all_float16", Element::kFloat16);
  measure<ScaleSums>(report, "scale_sums", kSameBits, rows, large);
  measure<GroupedProduct>(report, "grouped_product", kSameBits, rows, tokens);
  measure<GroupedProduct>(report, "grouped_product_decode", kSameBits, {token}, token);
  measure<Rotate>(report, "rotate", kSameBits, rows, large);
  measure<GatedSilu>(report, "gated_silu", kOneRounding, rows, {2048, 13696});
  measure<GatedSiluBackward>(report, "gated_silu_backward", kOneRounding, rows, {2048, 13696});
  measure<Distance>(report, "distance", kSameBits, rows, large);
  measure<DistanceBackward>(report, "distance_backward", kSameBits, rows, large);
  measure<Correction>(report, "correction", kSameBits, {{1, 64}, {70, 576}, {1029, 130}}, tokens);
  measure<Correction>(report, "correction_decode", kSameBits, {token}, token);
  measure<Correction>(report, "correction_smollm2", kSameBits, {{5, 576}}, small);
  measure<CorrectionBackward>(report, "correction_backward", kSumsOfManyRows,
                              {{1, 64}, {70, 576}, {1029, 130}}, tokens);
  measure<CorrectionBackward>(report, "correction_backward_smollm2", kSumsOfManyRows, {{5, 576}},
                              small);
  measure<HeadLoss>(report, "head_loss", kOneRounding, heads, head);
  measure<AdamW>(report, "adamw", kSameBits, rows, large);
}

int main_of_kernels() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "gpu_kernels: no CUDA device\n");
    return EXIT_FAILURE;
  }
  cudaDeviceProp device{};
  int driver = 0, runtime = 0;
  check(cudaGetDeviceProperties(&device, 0));
  check(cudaDriverGetVersion(&driver));
  check(cudaRuntimeGetVersion(&runtime));
  Report report;
  measure_all(report);
  std::printf(
      "{\"device\": \"%s\", \"compute_capability\": \"%d.%d\", \"cuda_driver\": %d, "
      "\"cuda_runtime\": %d, \"kernels\": {%s}}\n",
      device.name, device.major, device.minor, driver, runtime, report.json().c_str());
  return report.all_right() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace dualpath::bench

int main() {
  try {
    return dualpath::bench::main_of_kernels();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_kernels: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
