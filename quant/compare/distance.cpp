#include "quant/compare/distance.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"
#include "quant/kernels/distance.h"

namespace dualpath::quant {
namespace {

using modules::element_of;
using modules::row_at;
using modules::rows_of_grain;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Squares {
  Tensor difference;           // [B, T, H]
  Tensor squares, fp_squares;  // [B, T] float32
};

Squares squares_of(const Tensor& any_fp, const Tensor& any_q) {
  const Tensor fp = any_fp.contiguous(), q = any_q.contiguous();
  const auto sums = [&] {
    return torch::empty(q.sizes().slice(0, q.dim() - 1), q.options().dtype(torch::kFloat));
  };
  const Squares result{torch::empty_like(q), sums(), sums()};
  auto *squares = result.squares.mutable_data_ptr<float>(),
       *fp_squares = result.fp_squares.mutable_data_ptr<float>();
  const data::Element element = element_of(q.scalar_type());
  const std::int64_t width = q.size(-1), rows = q.numel() / width;
  const auto on_cpu = [&] {
    at::parallel_for(0, rows, rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
      distance_cpu({element, row_at(fp, begin), row_at(q, begin), end - begin, width},
                   row_at(result.difference, begin), squares + begin, fp_squares + begin);
    });
  };
  const auto on_cuda = [&](void* stream) {
    distance_cuda({element, fp.const_data_ptr(), q.const_data_ptr(), rows, width},
                  result.difference.mutable_data_ptr(), squares, fp_squares, stream);
  };
  modules::on_device(q, on_cpu, on_cuda);
  return result;
}

/// Scales each row of the difference. slope: [B, T] float32.
Tensor scaled_rows(const Tensor& difference, const Tensor& slope) {
  const Tensor grad = torch::empty_like(difference);
  const auto* slopes = slope.const_data_ptr<float>();
  const data::Element element = element_of(difference.scalar_type());
  const std::int64_t width = difference.size(-1), rows = slope.numel();
  const auto on_cpu = [&] {
    at::parallel_for(0, rows, rows_of_grain(width), [&](std::int64_t begin, std::int64_t end) {
      distance_backward_cpu(element, row_at(difference, begin), slopes + begin, end - begin, width,
                            row_at(grad, begin));
    });
  };
  const auto on_cuda = [&](void* stream) {
    distance_backward_cuda(element, difference.const_data_ptr(), slopes, rows, width,
                           grad.mutable_data_ptr(), stream);
  };
  modules::on_device(difference, on_cpu, on_cuda);
  return grad;
}

/// Weight of each token's squared difference: [B, T] float32.
Tensor token_weights(DistanceKind kind, const Tensor& fp_squares, const Tensor& mask) {
  if (kind == DistanceKind::kSquared) return mask.to(torch::kFloat);
  constexpr double kEps = 1e-6;  // a token of zeros has no relative distance
  return mask / (fp_squares + kEps);
}

/// Sum over tokens of weight * |q - fp|^2. Saves q - fp and the weights, nothing of fp.
struct WeightedSquares : torch::autograd::Function<WeightedSquares> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& fp, const Tensor& mask,
                        bool relative) {
    const Squares of = squares_of(fp, q);
    const Tensor weight = token_weights(relative ? DistanceKind::kRelative : DistanceKind::kSquared,
                                        of.fp_squares, mask);
    ctx->save_for_backward({of.difference, weight});
    return (of.squares * weight).sum();
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor slope = (2.0 * grads[0] * saved[1]).contiguous();
    return {scaled_rows(saved[0], slope), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor hidden_distance(DistanceKind kind, const Tensor& fp, const Tensor& q, const Tensor& mask) {
  return WeightedSquares::apply(q, fp, mask, kind == DistanceKind::kRelative);
}

}  // namespace dualpath::quant
