#include "modules/correction/fused_correction.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "modules/kernels/correction.h"
#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"

namespace dualpath::modules {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The parameters in the kernels' layout.
struct Operands {
  Tensor down, down_bias, up, up_bias, alpha, beta;
  bool normalized;

  CorrectionWeights weights() const {
    return {down.const_data_ptr<float>(),
            down_bias.const_data_ptr<float>(),
            up.const_data_ptr<float>(),
            up_bias.const_data_ptr<float>(),
            alpha.const_data_ptr<float>(),
            beta.const_data_ptr<float>(),
            down.size(1),
            down.size(0),
            normalized};
  }
};

/// Copies nothing if up lies transposed in memory. parameters: down, its bias, up, its bias, alpha,
/// beta.
Operands operands(const variable_list& parameters, bool normalized) {
  const Tensor &down = parameters[0], &beta = parameters[5];
  return {down.contiguous(), parameters[1], parameters[2].t().contiguous(),
          parameters[3],     parameters[4], beta.expand({down.size(1)}).contiguous(),
          normalized};
}

/// Gradients of the parameters, one set for each share of the rows. Sets are added in order, so
/// that the bits depend on the number of shares alone.
struct GradientSets {
  GradientSets(std::int64_t sets, const Operands& of)
      : down(zeros(sets, of.down)),
        down_bias(zeros(sets, of.down_bias)),
        up(zeros(sets, of.up)),
        up_bias(zeros(sets, of.up_bias)),
        beta(zeros(sets, of.beta)),
        alpha(zeros(sets, of.alpha)) {}

  CorrectionGradients at(std::int64_t set) const {
    const auto from = [&](const Tensor& sums) { return sums[set].mutable_data_ptr<float>(); };
    return {from(down), from(down_bias), from(up), from(up_bias), from(beta), from(alpha)};
  }

  static Tensor zeros(std::int64_t sets, const Tensor& like) {
    std::vector<std::int64_t> shape = like.sizes().vec();
    shape.insert(shape.begin(), sets);
    return at::zeros(shape, like.options());
  }

  Tensor down, down_bias, up, up_bias, beta, alpha;
};

std::int64_t rows_of(const Tensor& x) { return x.numel() / x.size(-1); }

/// Computes one row on all threads.
void run_row(data::Element element, const CorrectionWeights& weights, const std::byte* x,
             std::byte* y) {
  std::vector<float> active(static_cast<std::size_t>(weights.width));
  std::atomic<float> r = 1.0f;              // each thread finds the same
  constexpr std::int64_t kGrain = 1 << 14;  // the fewest weights for a thread
  at::parallel_for(0, weights.width, std::max<std::int64_t>(1, kGrain / weights.hidden),
                   [&](std::int64_t begin, std::int64_t end) {
                     r = correction_units_cpu(element, weights, x, begin, end, active.data());
                   });
  at::parallel_for(0, weights.hidden, std::max<std::int64_t>(1, kGrain / weights.width),
                   [&](std::int64_t begin, std::int64_t end) {
                     correction_columns_cpu(element, weights, x, active.data(), r, begin, end, y);
                   });
}

void run_on_cpu(const Tensor& x, const CorrectionWeights& weights, const Tensor& y) {
  const data::Element element = element_of(x.scalar_type());
  if (rows_of(x) < at::get_num_threads()) {
    for (std::int64_t row = 0; row < rows_of(x); ++row)
      run_row(element, weights, row_at(x, row), row_at(y, row));
    return;
  }
  constexpr std::int64_t kGrain = 8;  // rows
  at::parallel_for(0, rows_of(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    correction_cpu(element, weights, row_at(x, begin), end - begin, row_at(y, begin));
  });
}

void run(const Tensor& x, const CorrectionWeights& weights, const Tensor& y) {
  const auto on_cuda = [&](void* stream) {
    correction_cuda(element_of(x.scalar_type()), weights, x.const_data_ptr(), rows_of(x),
                    y.mutable_data_ptr(), stream);
  };
  on_device(
      x, [&] { run_on_cpu(x, weights, y); }, on_cuda);
}

inline GradientSets run_backward_on_cuda(const Tensor& x, const Tensor& grad, const Operands& of,
                                         const Tensor& grad_x, void* stream) {
  const CorrectionWeights weights = of.weights();
  const std::int64_t rows = rows_of(x), units = correction_units(weights.width);
  const at::TensorOptions floats = of.down.options();
  const Tensor traces = at::empty({2, rows, units}, floats), sizes = at::empty({2, rows}, floats);
  const auto from = [](const Tensor& all, std::int64_t i) {
    return all[i].mutable_data_ptr<float>();
  };
  const CorrectionTrace trace{from(sizes, 0), from(sizes, 1), from(traces, 0), from(traces, 1)};
  GradientSets sums(correction_gradient_sets(weights, rows), of);
  correction_backward_cuda(element_of(x.scalar_type()), weights, x.const_data_ptr(),
                           grad.const_data_ptr(), rows, grad_x.mutable_data_ptr(), trace,
                           sums.at(0), stream);
  return sums;
}

GradientSets run_backward_on_cpu(const Tensor& x, const Tensor& grad, const Operands& of,
                                 const Tensor& grad_x) {
  const CorrectionWeights weights = of.weights();
  const std::int64_t rows = rows_of(x);
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t share = std::max<std::int64_t>(1, (rows + threads - 1) / threads);
  const std::int64_t sets = (rows + share - 1) / share;
  GradientSets sums(sets, of);
  at::parallel_for(0, sets, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t set = first; set < last; ++set) {
      const std::int64_t begin = set * share, end = std::min(rows, begin + share);
      correction_backward_cpu(element_of(x.scalar_type()), weights, row_at(x, begin),
                              row_at(grad, begin), end - begin, row_at(grad_x, begin),
                              sums.at(set));
    }
  });
  return sums;
}

/// Fills grad_x. grad: y's gradient.
GradientSets run_backward(const Tensor& x, const Tensor& grad, const Operands& of,
                          const Tensor& grad_x) {
  return on_device(
      x, [&] { return run_backward_on_cpu(x, grad, of, grad_x); },
      [&](void* stream) { return run_backward_on_cuda(x, grad, of, grad_x, stream); });
}

struct FusedCorrection : torch::autograd::Function<FusedCorrection> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_x, const Tensor& down,
                        const Tensor& down_bias, const Tensor& up, const Tensor& up_bias,
                        const Tensor& alpha, const Tensor& beta, bool normalized) {
    const Tensor x = any_x.contiguous();
    ctx->save_for_backward({x, down, down_bias, up, up_bias, alpha, beta});
    ctx->saved_data["normalized"] = normalized;
    const Operands of = operands({down, down_bias, up, up_bias, alpha, beta}, normalized);
    const Tensor y = at::empty_like(x);
    run(x, of.weights(), y);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list saved = ctx->get_saved_variables();
    const Tensor x = saved.front();
    const variable_list parameters(saved.begin() + 1, saved.end());
    const Operands of = operands(parameters, ctx->saved_data["normalized"].toBool());
    const Tensor grad_x = at::empty_like(x);
    const GradientSets sums = run_backward(x, grads[0].contiguous(), of, grad_x);
    const Tensor of_beta = sums.beta.sum(0);
    return {grad_x,
            sums.down.sum(0),
            sums.down_bias.sum(0),
            sums.up.sum(0).t(),
            sums.up_bias.sum(0),
            sums.alpha.sum(0),
            parameters[5].numel() == 1 ? of_beta.sum().reshape({1}) : of_beta,
            Tensor()};
  }
};

}  // namespace

Tensor fused_correction(const Tensor& x, const CorrectionParameters& parameters, bool normalized) {
  return FusedCorrection::apply(x, parameters.down, parameters.down_bias, parameters.up,
                                parameters.up_bias, parameters.alpha, parameters.beta, normalized);
}

}  // namespace dualpath::modules
