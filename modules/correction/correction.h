#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/base/named.h"

namespace dualpath::modules {

enum class CorrectionInput { kRaw, kRmsNorm };
inline constexpr Named<CorrectionInput> kCorrectionInputs[] = {
    {"raw", CorrectionInput::kRaw}, {"rms_norm", CorrectionInput::kRmsNorm}};

enum class CorrectionBeta { kScalar, kChannel };
inline constexpr Named<CorrectionBeta> kCorrectionBetas[] = {{"scalar", CorrectionBeta::kScalar},
                                                             {"channel", CorrectionBeta::kChannel}};

/// The keys of a recipe's `correction`.
struct CorrectionOptions {
  std::int64_t reduction = 64;  ///< width of the head: max(1, H / reduction)
  CorrectionInput input = CorrectionInput::kRmsNorm;
  CorrectionBeta beta = CorrectionBeta::kChannel;
  std::vector<std::string> ignore;  ///< stages without a correction: a name, or "re:" and a pattern

  bool operator==(const CorrectionOptions&) const = default;
};

/// y = x W^T + b. (torch's Linear is made on the CPU and cannot move to every device.)
struct AffineImpl : torch::nn::Module {
  /// weight: [out, in]; bias: [out]. They become parameters.
  AffineImpl(const torch::Tensor& its_weight, const torch::Tensor& its_bias)
      : weight(register_parameter("weight", its_weight)),
        bias(register_parameter("bias", its_bias)) {}
  torch::Tensor forward(const torch::Tensor& x) { return torch::linear(x, weight, bias); }

  torch::Tensor weight, bias;
};
TORCH_MODULE(Affine);

/// y = x + r * (alpha * head(x / r) + beta), head = Linear(H, H/reduction) -> ReLU ->
/// Linear(H/reduction, H). With raw input r is 1, the design's own form. With kRmsNorm r is the
/// token's root mean square: tokens of a hundredfold size (a window's first) are corrected as
/// finely as the rest. The exact identity until trained: the up-projection and beta start at zero,
/// alpha at 1, and all can learn.
struct DualPathCorrectionImpl : torch::nn::Module {
  /// seed: for the down-projection's first values (uniform within 1/sqrt(H), as in torch's Linear),
  /// which are the same on all devices.
  DualPathCorrectionImpl(std::int64_t hidden_size, const CorrectionOptions& options,
                         std::uint64_t seed, at::Device device = at::kCPU);
  /// x: [..., H], computed in float32, dtype kept. Fused (fused_correction.h): saves x alone for
  /// backward.
  torch::Tensor forward(const torch::Tensor& x);
  /// Computes forward() by torch's own operations, for tests to compare with.
  torch::Tensor composed(const torch::Tensor& x);

  Affine down{nullptr}, up{nullptr};  ///< up's weight lies transposed in memory
  torch::Tensor alpha, beta;          ///< [1]; [1] or [H]

 private:
  torch::Tensor head(const torch::Tensor& x);
  CorrectionInput input_;
};
TORCH_MODULE(DualPathCorrection);

}  // namespace dualpath::modules
