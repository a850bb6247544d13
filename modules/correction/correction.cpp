#include "modules/correction/correction.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/init.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "modules/correction/fused_correction.h"
#include "modules/kernels/correction.h"

namespace dualpath::modules {

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
  up->weight.set_data(torch::zeros({width, hidden_size}).t());  // the layout that kernels read
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
  return fused_correction(x, {down->weight, down->bias, up->weight, up->bias, alpha, beta},
                          input_ == CorrectionInput::kRmsNorm);
}

}  // namespace dualpath::modules
