#include "modules/encoders/subsampling.h"

#include <fmt/format.h>

#include <cmath>

#include "modules/ops/padding.h"

namespace dualpath::modules {

using at::Tensor;

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
  std::int64_t bands = conv_length(first_, c.num_mel_bins);
  for (std::int64_t i = 1; i < sizes_.halvings; ++i) {
    const std::int64_t place = 3 * i - 1;  // a ReLU stands behind each pair
    steps_.push_back({conv(place, channels, channels),
                      {fmt::format("{}.layers.{}", name, place + 1),
                       channels,
                       channels,
                       /*bias=*/true,
                       {1, 1}}});
    bands = conv_length(first_, bands);
  }
  output_ = {name + ".linear", channels * bands, c.hidden_size, /*bias=*/true};
}

void Subsampling::forward(Executor& executor, Stream& stream) const {
  const auto without_padding = [&](const Tensor& x) {
    return executor.masked(x, stream.mask, /*dim=*/2);
  };
  const auto convolved = [&](const ConvRef& ref, const Tensor& x) {
    stream.mask = executor.conv_mask(ref, stream.mask);
    return without_padding(executor.conv(ref, x));
  };
  const auto activated = [&](const Tensor& x) { return executor.activation(Activation::kRelu, x); };
  const Tensor input = executor.arrange(Unflatten{1, {1, -1}}, executor.cast(stream.input));
  Tensor x = activated(convolved(first_, without_padding(input)));
  for (const Step& step : steps_) {
    const Tensor patches = executor.arrange(Permute{{0, 2, 3, 1}}, convolved(step.depthwise, x));
    const Tensor mixed = executor.linear({step.pointwise}, patches).front();
    x = activated(without_padding(executor.arrange(Permute{{0, 3, 1, 2}}, mixed)));
  }
  const Tensor frames = executor.arrange(Flatten{2}, executor.arrange(Permute{{0, 2, 1, 3}}, x));
  stream.hidden = executor.scale(executor.linear({output_}, frames).front(), input_scale_);
}

}  // namespace dualpath::modules
