#include "modules/correction/correction.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "modules/correction/fused_correction.h"
#include "modules/kernels/correction.h"

namespace dualpath::modules {

DualPathCorrectionImpl::DualPathCorrectionImpl(std::int64_t hidden_size,
                                               const CorrectionOptions& options, std::uint64_t seed,
                                               at::Device device)
    : input_(options.input) {
  const std::int64_t width = std::max<std::int64_t>(1, hidden_size / options.reduction);
  const double bound = 1.0 / std::sqrt(static_cast<double>(hidden_size));
  torch::Generator generator = at::detail::createCPUGenerator(seed);
  const auto drawn = [&](at::IntArrayRef shape) {
    return torch::empty(shape).uniform_(-bound, bound, generator).to(device);
  };
  const torch::Tensor weight = drawn({width, hidden_size}), bias = drawn({width});
  down = register_module("down", Affine(weight, bias));
  const torch::Tensor transposed =  // in memory, as kernels read it
      torch::empty_strided({hidden_size, width}, {1, hidden_size}, device).zero_();
  up = register_module("up", Affine(transposed, torch::zeros({hidden_size}, device)));
  alpha = register_parameter("alpha", torch::ones({1}, device));
  beta = register_parameter(
      "beta", torch::zeros({options.beta == CorrectionBeta::kChannel ? hidden_size : 1}, device));
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
