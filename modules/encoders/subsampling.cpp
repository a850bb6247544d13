#include "modules/encoders/subsampling.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

namespace dualpath::modules {
namespace {

using at::Tensor;

/// [B, frames] bool.
Tensor real_frames(std::int64_t frames, const Tensor& lengths) {
  return at::arange(frames, lengths.options()).lt(lengths.unsqueeze(1));
}

/// x: [B, C, T, mels]; mask: [B, T].
Tensor without_padding(const Tensor& x, const Tensor& mask) {
  return x * mask.unsqueeze(1).unsqueeze(-1);
}

}  // namespace

Subsampling::Subsampling(const ConformerConfig& c, const std::string& name)
    : sizes_(c.subsampling) {
  if (c.scale_input) input_scale_ = std::sqrt(static_cast<double>(c.hidden_size));
  const std::int64_t channels = sizes_.channels, padding = (sizes_.kernel_size - 1) / 2;
  const auto conv = [&](std::int64_t place, std::int64_t in, std::int64_t groups) {
    return ConvRef{.name = fmt::format("{}.layers.{}", name, place),
                   .in_channels = in,
                   .out_channels = channels,
                   .kernel = {sizes_.kernel_size, sizes_.kernel_size},
                   .stride = {sizes_.stride, sizes_.stride},
                   .padding = {padding, padding},
                   .groups = groups,
                   .bias = true};
  };
  first_ = conv(0, 1, 1);
  std::int64_t bands = shorter(c.num_mel_bins);
  for (std::int64_t i = 1; i < sizes_.halvings; ++i) {
    const std::int64_t place = 3 * i - 1;  // behind each pair stands a ReLU
    steps_.push_back({conv(place, channels, channels),
                      {fmt::format("{}.layers.{}", name, place + 1),
                       channels,
                       channels,
                       /*bias=*/true,
                       {1, 1}}});
    bands = shorter(bands);
  }
  output_ = {name + ".linear", channels * bands, c.hidden_size, /*bias=*/true};
}

std::int64_t Subsampling::shorter(std::int64_t length) const {
  const std::int64_t padding = (sizes_.kernel_size - 1) / 2;
  return (length + 2 * padding - sizes_.kernel_size) / sizes_.stride + 1;
}

void Subsampling::forward(Executor& executor, Stream& stream) const {
  Tensor lengths = stream.mask.sum(1);
  const std::int64_t padding = (sizes_.kernel_size - 1) / 2;
  const auto convolved = [&](const ConvRef& ref, const Tensor& x) {
    lengths = (lengths + (2 * padding - sizes_.kernel_size))
                  .div(sizes_.stride, /*rounding_mode=*/"floor") +
              1;
    const Tensor y = executor.conv(ref, x);
    stream.mask = real_frames(y.size(2), lengths);
    return without_padding(y, stream.mask);
  };
  const Tensor input = stream.input.to(executor.compute_dtype());
  Tensor x = without_padding(input.unsqueeze(1), stream.mask);
  x = convolved(first_, x).clamp_min(0.0);
  for (const Step& step : steps_) {
    const Tensor patches = convolved(step.depthwise, x).permute({0, 2, 3, 1});
    const Tensor mixed = executor.linear({step.pointwise}, patches).front().permute({0, 3, 1, 2});
    x = without_padding(mixed, stream.mask).clamp_min(0.0);
  }
  stream.hidden = executor.linear({output_}, x.transpose(1, 2).flatten(2)).front() * input_scale_;
}

}  // namespace dualpath::modules
