#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "modules/kernels/correction.h"
#include "modules/kernels/gated.h"
#include "modules/kernels/norm.h"
#include "modules/kernels/rotation.h"
#include "quant/kernels/distance.h"
#include "quant/kernels/grouped_product.h"
#include "quant/kernels/norm_quantize.h"
#include "quant/kernels/quantize.h"
#include "quant/kernels/scale_sums.h"
#include "tools/bench/gpu/arrays.h"
#include "trainer/kernels/adamw.h"
#include "trainer/kernels/head_loss.h"

namespace dualpath::bench {

// Each kernel with its data: expect() runs the CPU's kernel, run() launches, error() compares,
// bytes() counts the bytes that a launch must read and write. Values are finite: the kernels count
// others, and the run stops.

struct Shape {
  std::int64_t rows, width;
  std::size_t size() const { return static_cast<std::size_t>(rows * width); }
};

struct Case {
  Case(data::Element of, Shape in) : element(of), shape(in) {}

  Elements values(float size) const {
    return Elements(rounded(element, random_values(shape.size(), size)));
  }
  Elements results() const { return Elements(shape.size() * size_of(element)); }
  static Floats floats(std::int64_t n, float size) {
    return Floats(random_values(static_cast<std::size_t>(n), size));
  }
  double bytes_of_rows() const { return static_cast<double>(shape.size() * size_of(element)); }

  data::Element element;
  Shape shape;
};

struct RmsNorm : Case {
  using Case::Case;
  static constexpr float kEps = 1e-5f;

  modules::NormRows in(const std::byte* rows, const float* by) const {
    return {element, rows, by, shape.rows, shape.width};
  }
  modules::NormRows on_host() const { return in(x.host.data(), weight.host.data()); }
  modules::NormRows on_device() const { return in(x.device(), weight.device()); }

  void expect() { modules::rms_norm_cpu(on_host(), kEps, y.host.data(), inverse.host.data()); }
  void run() const {
    modules::rms_norm_cuda(on_device(), kEps, y.device(), inverse.device(), nullptr);
  }
  double error() const { return std::max(error_of(element, y), error_of(inverse)); }
  double bytes() const { return 2 * bytes_of_rows(); }

  Elements x = values(3.0f), y = results();
  Floats weight = floats(shape.width, 1.0f), inverse = floats(shape.rows, 1.0f);
};

struct RmsNormBackward : RmsNorm {
  RmsNormBackward(data::Element of, Shape in) : RmsNorm(of, in) { RmsNorm::run(); }

  void expect() {
    RmsNorm::expect();
    modules::rms_norm_backward_cpu(on_host(), inverse.host.data(), grad.host.data(),
                                   grad_x.host.data());
  }
  void run() const {
    modules::rms_norm_backward_cuda(on_device(), inverse.device(), grad.device(), grad_x.device(),
                                    nullptr);
  }
  double error() const { return error_of(element, grad_x); }
  double bytes() const { return 3 * bytes_of_rows(); }

  Elements grad = values(1.0f), grad_x = results();
};

/// Compares with its two parts: RMSNorm, and the law of quantizing.
struct NormQuantize : RmsNorm {
  using RmsNorm::RmsNorm;

  void expect() {
    RmsNorm::expect();
    const std::vector<float> normed = widened(element, y.host);
    for (std::size_t i = 0; i < normed.size(); ++i)
      codes.host[i] = static_cast<std::int8_t>(quant::quantize(normed[i], grid));
  }
  void run() const {
    quant::norm_quantize_cuda(on_device(), kEps, grid, /*scale=*/nullptr, codes.device(),
                              inverse.device(), non_finite.device(), nullptr);
  }
  double error() const { return std::max(error_of(codes), error_of(inverse)); }
  double bytes() const { return bytes_of_rows() + static_cast<double>(codes.bytes()); }

  quant::Grid grid = quant::activation_grid(0.03f);
  Both<std::int8_t> codes{shape.size()};
  Both<std::int32_t> non_finite{1};
};

struct NormQuantizeBackward : NormQuantize {
  NormQuantizeBackward(data::Element of, Shape in) : NormQuantize(of, in) { NormQuantize::run(); }

  void expect() {
    RmsNorm::expect();
    const std::vector<float> normed = widened(element, y.host);
    std::vector<float> passed = widened(element, grad.host);
    for (std::size_t i = 0; i < passed.size(); ++i)
      if (!quant::in_range(quant::level(normed[i], grid), grid)) passed[i] = 0.0f;
    modules::rms_norm_backward_cpu(on_host(), inverse.host.data(), rounded(element, passed).data(),
                                   grad_x.host.data());
  }
  void run() const {
    quant::norm_quantize_backward_cuda(on_device(), inverse.device(), grid, /*scale=*/nullptr,
                                       grad.device(), grad_x.device(), nullptr);
  }
  double error() const { return error_of(element, grad_x); }
  double bytes() const { return 3 * bytes_of_rows(); }

  Elements grad = values(1.0f), grad_x = results();
};

/// Compares with the law itself.
struct Quantize : Case {
  Quantize(data::Element of, Shape in) : Quantize(of, in, random_values(in.size(), 3.0f), 0.05f) {}
  Quantize(data::Element of, Shape in, const std::vector<float>& from, float scale)
      : Case(of, in), grid(quant::activation_grid(scale)), x(rounded(of, from)) {}

  void expect() {
    const std::vector<float> wide = widened(element, x.host);
    for (std::size_t i = 0; i < wide.size(); ++i)
      codes.host[i] = static_cast<std::int8_t>(quant::quantize(wide[i], grid));
  }
  void run() const {
    quant::quantize_cuda(element, x.device(), static_cast<std::int64_t>(shape.size()), grid,
                         /*scale=*/nullptr, codes.device(), nullptr, non_finite.device(), nullptr);
  }
  double error() const { return error_of(codes); }
  double bytes() const { return bytes_of_rows() + static_cast<double>(codes.bytes()); }

  quant::Grid grid;
  Elements x;
  Both<std::int8_t> codes{shape.size()};
  Both<std::int32_t> non_finite{1};
};

/// Has an input scale a row, as for tokens.
struct ScaleSums : Case {
  using Case::Case;

  static std::vector<std::int32_t> random_sums(std::size_t n) {
    std::mt19937 generator(2);
    std::vector<std::int32_t> all(n);
    for (std::int32_t& sum : all)
      sum = static_cast<std::int32_t>(generator()) >> (generator() % 24);
    return all;
  }
  quant::SumRows in(const std::int32_t* of, const float* input, const float* weight,
                    const float* by) const {
    return {.sums = of,
            .rounded = false,
            .rows = shape.rows,
            .columns = shape.width,
            .stride = shape.width,
            .input = {.value = 1.0f, .values = input, .step = 1},
            .weight_scale = weight,
            .bias = by};
  }

  void expect() {
    quant::scale_sums_cpu(
        in(sums.host.data(), input_scale.host.data(), weight_scale.host.data(), bias.host.data()),
        element, y.host.data());
  }
  void run() const {
    quant::scale_sums_cuda(
        in(sums.device(), input_scale.device(), weight_scale.device(), bias.device()), element,
        y.device(), nullptr);
  }
  double error() const { return error_of(element, y); }
  double bytes() const { return bytes_of_rows() + static_cast<double>(sums.bytes()); }

  Both<std::int32_t> sums{random_sums(shape.size())};
  Floats input_scale = floats(shape.rows, 1e-4f), weight_scale = floats(shape.width, 1e-4f),
         bias = floats(shape.width, 1.0f);
  Elements y = results();
};

/// Compares with a plain loop. The width is the inputs; groups are of 32.
struct GroupedProduct : Case {
  using Case::Case;
  static constexpr std::int64_t kOutputs = 1000, kGroup = 32;

  static Both<std::int8_t> random_codes(std::int64_t n) {
    std::mt19937 generator(3);
    std::vector<std::int8_t> all(static_cast<std::size_t>(n));
    for (std::int8_t& code : all) code = static_cast<std::int8_t>(generator());
    return Both<std::int8_t>(all);
  }
  quant::GroupedCodes in(const std::int8_t* rows, const std::int8_t* codes, const float* scales,
                         const float* input, const float* by) const {
    return {.x = rows,
            .weight = codes,
            .weight_scale = scales,
            .rows = shape.rows,
            .outputs = kOutputs,
            .inputs = shape.width,
            .group_size = kGroup,
            .scale = {.value = 1.0f, .values = input, .step = 1},
            .bias = by};
  }
  static float value(const quant::GroupedCodes& in, std::int64_t row, std::int64_t output) {
    float value = 0.0f;
    for (std::int64_t group = 0; group < in.groups(); ++group) {
      std::int32_t sum = 0;
      for (std::int64_t i = group * kGroup; i < (group + 1) * kGroup; ++i)
        sum += in.x[row * in.inputs + i] * in.weight[output * in.inputs + i];
      value += quant::scaled_sum(sum, in.input_scale(row),
                                 in.weight_scale[output * in.groups() + group]);
    }
    return value + in.bias[output];
  }

  void expect() {
    const quant::GroupedCodes host = in(x.host.data(), weight.host.data(), weight_scale.host.data(),
                                        input_scale.host.data(), bias.host.data());
    std::vector<float> values;
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      for (std::int64_t output = 0; output < kOutputs; ++output)
        values.push_back(value(host, row, output));
    }
    y.host = rounded(element, values);
  }
  void run() const {
    quant::grouped_product_cuda(
        in(x.device(), weight.device(), weight_scale.device(), input_scale.device(), bias.device()),
        element, y.device(), nullptr);
  }
  double error() const { return error_of(element, y); }
  double bytes() const {
    return static_cast<double>(x.bytes() + weight.bytes() + weight_scale.bytes() + y.bytes());
  }

  Both<std::int8_t> x = random_codes(shape.rows * shape.width),
                    weight = random_codes(kOutputs * shape.width);
  Floats weight_scale = floats(kOutputs * shape.width / kGroup, 1e-3f),
         input_scale = floats(shape.rows, 0.05f), bias = floats(kOutputs, 1.0f);
  Elements y{static_cast<std::size_t>(shape.rows * kOutputs) * size_of(element)};
};

/// Has heads of 64 channels.
struct Rotate : Case {
  using Case::Case;
  static constexpr std::int64_t kDim = 64;

  modules::RotationRows in(const std::byte* rows, const float* c, const float* s) const {
    return {element,
            rows,
            c,
            s,
            shape.rows,
            shape.width / kDim,
            kDim,
            /*rotated=*/kDim,
            /*interleaved=*/false,
            /*back=*/false};
  }

  void expect() {
    modules::rotate_cpu(in(x.host.data(), cos.host.data(), sin.host.data()), y.host.data());
  }
  void run() const {
    modules::rotate_cuda(in(x.device(), cos.device(), sin.device()), y.device(), nullptr);
  }
  double error() const { return error_of(element, y); }
  double bytes() const { return 2 * bytes_of_rows(); }

  Floats cos = floats(shape.rows * kDim / 2, 0.5f), sin = floats(shape.rows * kDim / 2, 0.5f);
  Elements x = values(3.0f), y = results();
};

/// Compares with the formula in double.
struct GatedSilu : Case {
  using Case::Case;

  modules::GatedRows on_device() const {
    return {element, gate.device(), up.device(), static_cast<std::int64_t>(shape.size())};
  }

  void expect() {
    const std::vector<float> g = widened(element, gate.host), u = widened(element, up.host);
    std::vector<float> product(g.size());
    for (std::size_t i = 0; i < g.size(); ++i)
      product[i] = static_cast<float>(double{g[i]} * sigmoid(g[i]) * u[i]);
    y.host = rounded(element, product);
  }
  static double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
  void run() const { modules::gated_silu_cuda(on_device(), y.device(), nullptr); }
  double error() const { return error_of(element, y); }
  double bytes() const { return 3 * bytes_of_rows(); }

  Elements gate = values(2.0f), up = values(2.0f), y = results();
};

struct GatedSiluBackward : GatedSilu {
  using GatedSilu::GatedSilu;

  void expect() {
    const std::vector<float> g = widened(element, gate.host), u = widened(element, up.host),
                             of_y = widened(element, grad.host);
    std::vector<float> gate_slopes(g.size()), up_slopes(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double s = sigmoid(g[i]);
      gate_slopes[i] = static_cast<float>(double{of_y[i]} * u[i] * (s * (1.0 + g[i] * (1.0 - s))));
      up_slopes[i] = static_cast<float>(double{of_y[i]} * (g[i] * s));
    }
    of_gate.host = rounded(element, gate_slopes);
    of_up.host = rounded(element, up_slopes);
  }
  void run() const {
    modules::gated_silu_backward_cuda(on_device(), grad.device(), of_gate.device(), of_up.device(),
                                      nullptr);
  }
  double error() const { return std::max(error_of(element, of_gate), error_of(element, of_up)); }
  double bytes() const { return 5 * bytes_of_rows(); }

  Elements grad = values(1.0f), of_gate = results(), of_up = results();
};

struct Distance : Case {
  using Case::Case;

  void expect() {
    quant::distance_cpu({element, fp.host.data(), q.host.data(), shape.rows, shape.width},
                        difference.host.data(), squares.host.data(), fp_squares.host.data());
  }
  void run() const {
    quant::distance_cuda({element, fp.device(), q.device(), shape.rows, shape.width},
                         difference.device(), squares.device(), fp_squares.device(), nullptr);
  }
  double error() const {
    return std::max({error_of(element, difference), error_of(squares), error_of(fp_squares)});
  }
  double bytes() const { return 3 * bytes_of_rows(); }

  Elements fp = values(3.0f), q = values(3.0f), difference = results();
  Floats squares = floats(shape.rows, 1.0f), fp_squares = floats(shape.rows, 1.0f);
};

struct DistanceBackward : Case {
  using Case::Case;

  void expect() {
    quant::distance_backward_cpu(element, difference.host.data(), slope.host.data(), shape.rows,
                                 shape.width, grad.host.data());
  }
  void run() const {
    quant::distance_backward_cuda(element, difference.device(), slope.device(), shape.rows,
                                  shape.width, grad.device(), nullptr);
  }
  double error() const { return error_of(element, grad); }
  double bytes() const { return 2 * bytes_of_rows(); }

  Elements difference = values(1.0f), grad = results();
  Floats slope = floats(shape.rows, 1.0f);
};

/// Has a bottleneck of width / 64 units.
struct Correction : Case {
  using Case::Case;

  modules::CorrectionWeights on_host() const {
    return {down.host.data(),   down_bias.host.data(), up.host.data(), up_bias.host.data(),
            alpha.host.data(),  beta.host.data(),      shape.width,    units,
            /*normalized=*/true};
  }
  modules::CorrectionWeights on_device() const {
    return {down.device(), down_bias.device(), up.device(), up_bias.device(),   alpha.device(),
            beta.device(), shape.width,        units,       /*normalized=*/true};
  }

  void expect() {
    modules::correction_cpu(element, on_host(), x.host.data(), shape.rows, y.host.data());
  }
  void run() const {
    modules::correction_cuda(element, on_device(), x.device(), shape.rows, y.device(), nullptr);
  }
  double error() const { return error_of(element, y); }
  double bytes() const { return 2 * bytes_of_rows(); }

  std::int64_t units = std::max<std::int64_t>(1, shape.width / 64);
  Floats down = floats(units * shape.width, 1.0f / std::sqrt(static_cast<float>(shape.width))),
         down_bias = floats(units, 0.3f), up = floats(units * shape.width, 0.25f),
         up_bias = floats(shape.width, 0.25f), beta = floats(shape.width, 0.25f);
  Floats alpha{std::vector<float>{1.25f}};
  Elements x = values(30.0f), y = results();
};

/// Sums over rows: whole on the host, in sets on the device. The sets are added up to be compared.
struct GradientSets {
  GradientSets(std::int64_t n, std::int64_t sets)
      : host(static_cast<std::size_t>(n)), device(static_cast<std::size_t>(n * sets)) {}

  double error() const {
    const std::vector<float> sets = device.fetched();
    std::vector<float> sums(host.size());
    for (std::size_t i = 0; i < sets.size(); ++i) sums[i % sums.size()] += sets[i];
    return error_of(sums, host);
  }

  std::vector<float> host;
  Floats device;
};

struct CorrectionBackward : Correction {
  using Correction::Correction;

  void expect() {
    modules::correction_backward_cpu(
        element, on_host(), x.host.data(), grad.host.data(), shape.rows, grad_x.host.data(),
        {of_down.host.data(), of_down_bias.host.data(), of_up.host.data(), of_up_bias.host.data(),
         of_beta.host.data(), of_alpha.host.data()});
  }
  void run() const {
    modules::correction_backward_cuda(
        element, on_device(), x.device(), grad.device(), shape.rows, grad_x.device(),
        {rms.device(), row_alpha.device(), active.device(), of_active.device()},
        {of_down.device.device(), of_down_bias.device.device(), of_up.device.device(),
         of_up_bias.device.device(), of_beta.device.device(), of_alpha.device.device()},
        nullptr);
  }
  double error() const {
    return std::max({error_of(element, grad_x), of_down.error(), of_down_bias.error(),
                     of_up.error(), of_up_bias.error(), of_beta.error(), of_alpha.error()});
  }
  double bytes() const { return 3 * bytes_of_rows(); }

  std::int64_t sets = modules::correction_gradient_sets(on_host(), shape.rows);
  Elements grad = values(1.0f), grad_x = results();
  Floats rms = floats(shape.rows, 1.0f), row_alpha = floats(shape.rows, 1.0f);
  Floats active = floats(shape.rows * modules::correction_units(units), 1.0f),
         of_active = floats(shape.rows * modules::correction_units(units), 1.0f);
  GradientSets of_down{units * shape.width, sets}, of_down_bias{units, sets},
      of_up{units * shape.width, sets}, of_up_bias{shape.width, sets}, of_beta{shape.width, sets},
      of_alpha{1, sets};
};

/// Compares with plain sums in double. The width is a vocabulary's.
struct HeadLoss : Case {
  using Case::Case;
  static constexpr trainer::LossWeights kWeights{.kl = 0.75f, .ce = 0.25f};

  static std::vector<std::int64_t> targets_of(Shape shape) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(shape.rows));
    for (std::size_t row = 0; row < all.size(); ++row)
      all[row] = static_cast<std::int64_t>(row) * 7919 % shape.width;
    return all;
  }

  void expect() {
    const std::vector<float> p = widened(element, reference.host),
                             q = widened(element, logits.host);
    std::vector<float> slopes(shape.size());
    for (std::int64_t row = 0; row < shape.rows; ++row) {
      const auto begin = static_cast<std::size_t>(row * shape.width);
      expect_row(row, p.data() + begin, q.data() + begin, slopes.data() + begin);
    }
    gradient.host = rounded(element, slopes);
  }
  void expect_row(std::int64_t row, const float* p, const float* q, float* slopes) {
    const double log_p = log_sum(p), log_q = log_sum(q);
    const std::int64_t target = targets.host[static_cast<std::size_t>(row)];
    double kl = 0.0;
    for (std::int64_t i = 0; i < shape.width; ++i) {
      const double of_p = std::exp(p[i] - log_p), of_q = std::exp(q[i] - log_q);
      kl += of_p * ((p[i] - log_p) - (q[i] - log_q));
      slopes[i] = static_cast<float>(kWeights.kl * (of_q - of_p) +
                                     kWeights.ce * (of_q - (i == target ? 1.0 : 0.0)));
    }
    const auto at = static_cast<std::size_t>(row);
    kl_rows[at] = static_cast<float>(kl);
    nll_rows[at] = static_cast<float>(log_q - q[target]);
  }
  double log_sum(const float* row) const {
    const double largest = *std::max_element(row, row + shape.width);
    double sum = 0.0;
    for (std::int64_t i = 0; i < shape.width; ++i) sum += std::exp(row[i] - largest);
    return largest + std::log(sum);
  }
  void run() const {
    trainer::head_loss_cuda(
        {element, reference.device(), logits.device(), targets.device(), shape.rows, shape.width},
        kWeights, losses.device(), gradient.device(), nullptr);
  }
  double error() const {
    std::vector<float> kl, nll;
    for (const trainer::RowLoss& row : losses.fetched()) {
      kl.push_back(row.kl);
      nll.push_back(row.nll);
    }
    return std::max({error_of(kl, kl_rows), error_of(nll, nll_rows), error_of(element, gradient)});
  }
  double bytes() const { return 3 * bytes_of_rows(); }

  Elements reference = values(2.0f), logits = values(2.0f), gradient = results();
  Both<std::int64_t> targets{targets_of(shape)};
  Both<trainer::RowLoss> losses{static_cast<std::size_t>(shape.rows)};
  std::vector<float> kl_rows = std::vector<float>(static_cast<std::size_t>(shape.rows)),
                     nll_rows = kl_rows;
};

/// Works in float32, whatever the element: a parameter, its gradient and moments.
struct AdamW : Case {
  using Case::Case;
  static constexpr trainer::AdamWStep kStep{.decay = 0.999f,
                                            .beta1 = 0.9f,
                                            .beta2 = 0.999f,
                                            .eps = 1e-8f,
                                            .step_size = 1e-3f,
                                            .root_correction2 = 0.3f,
                                            .gradient_scale = 0.7f};

  Floats squares() const {
    std::vector<float> values = random_values(shape.size(), 0.1f);
    for (float& value : values) value *= value;
    return Floats(values);
  }
  std::int64_t size() const { return static_cast<std::int64_t>(shape.size()); }

  void expect() {
    trainer::adamw_cpu(kStep, size(), gradient.host.data(), parameter.host.data(),
                       exp_avg.host.data(), exp_avg_sq.host.data());
  }
  void run() const {
    trainer::adamw_cuda(kStep, size(), gradient.device(), parameter.device(), exp_avg.device(),
                        exp_avg_sq.device(), nullptr);
  }
  double error() const {
    return std::max({error_of(parameter), error_of(exp_avg), error_of(exp_avg_sq)});
  }
  double bytes() const { return 7.0 * static_cast<double>(gradient.bytes()); }

  Floats gradient = floats(size(), 0.1f), parameter = floats(size(), 1.0f),
         exp_avg = floats(size(), 0.1f), exp_avg_sq = squares();
};

}  // namespace dualpath::bench
