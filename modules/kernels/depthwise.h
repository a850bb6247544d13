#pragma once

#include <cstdint>

#include "data/formats/element.h"

namespace dualpath::modules {

/// A depthwise convolution over time with a stride of 1. taps: [kernel, channels] float32; bias:
/// [channels] float32, or null for none.
struct DepthwiseTaps {
  const float *taps, *bias;
  std::int64_t kernel, channels, padding;
};

/// y[t] = sum over k of taps[k] * x[t + k - padding], + bias, for t in begin .. end; in float32,
/// then one cast. An x that is not finite may reach three moments further. x: [time, channels] of
/// one clip, 0 outside of it; y: of the whole clip, too.
void depthwise_cpu(data::Element element, const DepthwiseTaps& taps, const void* x,
                   std::int64_t time, std::int64_t begin, std::int64_t end, void* y);

}  // namespace dualpath::modules
