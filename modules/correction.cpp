#include "modules/correction.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/nn/init.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "modules/kernel_call.h"
#include "modules/kernels/correction.h"

namespace dualpath::modules {

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The parameters as the kernels want them.
struct Operands {
  Tensor down, down_bias, up, up_bias, beta;
  float alpha;
  bool normalized;

  CorrectionWeights weights() const {
    return {down.const_data_ptr<float>(),
            down_bias.const_data_ptr<float>(),
            up.const_data_ptr<float>(),
            up_bias.const_data_ptr<float>(),
            beta.const_data_ptr<float>(),
            alpha,
            down.size(1),
            down.size(0),
            normalized};
  }
};

Operands operands(const variable_list& parameters, bool normalized) {
  const Tensor &down = parameters[0], &up = parameters[2], &beta = parameters[5];
  return {down.contiguous(),
          parameters[1],
          up.t().contiguous(),
          parameters[3],
          beta.expand({down.size(1)}).contiguous(),
          parameters[4].item<float>(),
          normalized};
}

/// Gradients of the parameters, one set for each share of the rows: sets are added in order, so
/// that the bits depend on the number of threads alone.
struct GradientSets {
  GradientSets(std::int64_t sets, const Operands& of)
      : down(zeros(sets, of.down)),
        down_bias(zeros(sets, of.down_bias)),
        up(zeros(sets, of.up)),
        up_bias(zeros(sets, of.up_bias)),
        beta(zeros(sets, of.beta)),
        alpha(torch::zeros({sets, 1})) {}

  CorrectionGradients at(std::int64_t set) const {
    const auto from = [&](const Tensor& sums) { return sums[set].mutable_data_ptr<float>(); };
    return {from(down), from(down_bias), from(up), from(up_bias), from(beta), from(alpha)};
  }

  static Tensor zeros(std::int64_t sets, const Tensor& like) {
    std::vector<std::int64_t> shape = like.sizes().vec();
    shape.insert(shape.begin(), sets);
    return torch::zeros(shape);
  }

  Tensor down, down_bias, up, up_bias, beta, alpha;
};

struct FusedCorrection : torch::autograd::Function<FusedCorrection> {
  static Tensor forward(AutogradContext* ctx, const Tensor& any_x, const Tensor& down,
                        const Tensor& down_bias, const Tensor& up, const Tensor& up_bias,
                        const Tensor& alpha, const Tensor& beta, bool normalized) {
    const Tensor x = any_x.contiguous();
    ctx->save_for_backward({x, down, down_bias, up, up_bias, alpha, beta});
    ctx->saved_data["normalized"] = normalized;
    const Operands of = operands({down, down_bias, up, up_bias, alpha, beta}, normalized);
    const CorrectionWeights weights = of.weights();
    const Tensor y = torch::empty_like(x);
    constexpr std::int64_t kGrain = 8;  // rows
    at::parallel_for(0, x.numel() / x.size(-1), kGrain, [&](std::int64_t begin, std::int64_t end) {
      correction_cpu(element_of(x.scalar_type()), weights, row_at(x, begin), end - begin,
                     row_at(y, begin));
    });
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list saved = ctx->get_saved_variables();
    const Tensor x = saved.front(), grad = grads[0].contiguous();
    const variable_list parameters(saved.begin() + 1, saved.end());
    const Operands of = operands(parameters, ctx->saved_data["normalized"].toBool());
    const CorrectionWeights weights = of.weights();
    const Tensor grad_x = torch::empty_like(x);
    const std::int64_t rows = x.numel() / x.size(-1);
    const std::int64_t share = (rows + at::get_num_threads() - 1) / at::get_num_threads();
    const std::int64_t sets = (rows + share - 1) / share;
    const GradientSets sums(sets, of);
    at::parallel_for(0, sets, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t set = first; set < last; ++set) {
        const std::int64_t begin = set * share, end = std::min(rows, begin + share);
        correction_backward_cpu(element_of(x.scalar_type()), weights, row_at(x, begin),
                                row_at(grad, begin), end - begin, row_at(grad_x, begin),
                                sums.at(set));
      }
    });
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

DualPathCorrectionImpl::DualPathCorrectionImpl(std::int64_t hidden_size,
                                               const CorrectionOptions& options, std::uint64_t seed)
    : input_(options.input) {
  const std::int64_t width = std::max<std::int64_t>(1, hidden_size / options.reduction);
  down = register_module("down", torch::nn::Linear(hidden_size, width));
  up = register_module("up", torch::nn::Linear(width, hidden_size));
  {
    const torch::NoGradGuard no_grad;
    const double bound = 1.0 / std::sqrt(static_cast<double>(hidden_size));
    torch::Generator generator = at::detail::createCPUGenerator(seed);
    down->weight.uniform_(-bound, bound, generator);
    down->bias.uniform_(-bound, bound, generator);
  }
  torch::nn::init::zeros_(up->weight);
  torch::nn::init::zeros_(up->bias);
  alpha = register_parameter("alpha", torch::ones(1));
  beta = register_parameter(
      "beta", torch::zeros(options.beta == CorrectionBeta::kChannel ? hidden_size : 1));
}

torch::Tensor DualPathCorrectionImpl::head(const torch::Tensor& x) {
  return alpha * up(torch::relu(down(x))) + beta;
}

torch::Tensor DualPathCorrectionImpl::composed(const torch::Tensor& x) {
  const torch::Tensor wide = x.to(torch::kFloat);
  if (input_ == CorrectionInput::kRaw) return (wide + head(wide)).to(x.scalar_type());
  const torch::Tensor rms = (wide.square().mean(-1, /*keepdim=*/true) + kCorrectionEps).sqrt();
  return (wide + rms * head(wide / rms)).to(x.scalar_type());
}

torch::Tensor DualPathCorrectionImpl::forward(const torch::Tensor& x) {
  if (!x.is_cpu()) return composed(x);
  return FusedCorrection::apply(x, down->weight, down->bias, up->weight, up->bias, alpha, beta,
                                input_ == CorrectionInput::kRmsNorm);
}

}  // namespace dualpath::modules
