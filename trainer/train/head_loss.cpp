#include "trainer/train/head_loss.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "modules/ops/kernel_call.h"
#include "modules/ops/on_device.h"

namespace dualpath::trainer {
namespace {

using at::Tensor;

static_assert(sizeof(RowLoss) == 4 * sizeof(float), "a row of the losses' tensor");

/// Part of the rows, from `row` on.
HeadRows part(HeadRows in, std::int64_t row, std::int64_t rows, std::int64_t element_size) {
  const auto from = [&](const void* start) -> const void* {
    return start ? static_cast<const std::byte*>(start) + row * in.words * element_size : nullptr;
  };
  return {in.element, from(in.reference), from(in.quantized), in.targets + row, rows, in.words};
}

RowLosses in_columns(const Tensor& losses) {
  return {losses.select(1, 0), losses.select(1, 1), losses.select(1, 2), losses.select(1, 3)};
}

}  // namespace

RowLosses RowLosses::on_host() const {
  return kl.is_cpu() ? *this : in_columns(at::stack({kl, nll, correct, agreed}, 1).cpu());
}

RowLosses head_loss(const Tensor& any_reference, const Tensor& any_quantized,
                    const Tensor& any_targets, LossWeights weights, const Tensor& gradient) {
  const Tensor reference = any_reference.defined() ? any_reference.contiguous() : Tensor();
  const Tensor quantized = any_quantized.contiguous(), targets = any_targets.contiguous();
  TORCH_CHECK(!reference.defined() || reference.scalar_type() == quantized.scalar_type(),
              "logits of two dtypes");
  const Tensor losses = at::empty({quantized.size(0), 4}, quantized.options().dtype(at::kFloat));
  const HeadRows in{modules::element_of(quantized.scalar_type()),
                    modules::data_or_null<void>(reference),
                    quantized.const_data_ptr(),
                    targets.const_data_ptr<std::int64_t>(),
                    quantized.size(0),
                    quantized.size(1)};
  auto* rows = reinterpret_cast<RowLoss*>(losses.mutable_data_ptr<float>());
  auto* slope = modules::data_or_null<std::byte>(gradient);
  const auto on_cpu = [&] {
    const auto size = static_cast<std::int64_t>(quantized.element_size());
    at::parallel_for(0, in.rows, 1, [&](std::int64_t begin, std::int64_t end) {
      head_loss_cpu(part(in, begin, end - begin, size), weights, rows + begin,
                    slope ? slope + begin * in.words * size : nullptr);
    });
  };
  const auto on_cuda = [&](void* stream) { head_loss_cuda(in, weights, rows, slope, stream); };
  modules::on_device(quantized, on_cpu, on_cuda);
  return in_columns(losses);
}

}  // namespace dualpath::trainer
