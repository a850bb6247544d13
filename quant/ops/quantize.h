#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/arithmetic.h"

namespace dualpath::quant {

struct Codes {
  at::Tensor values;    ///< shape of x; int8, or uint8 on an unsigned grid
  at::Tensor in_range;  ///< uint8 [(numel + 7) / 8], a bit an element in the order of x (element i
                        ///< is bit i % 8 of byte i / 8): 1 where the straight-through gradient
                        ///< passes; undefined unless asked for
};

/// Quantizes all of x on one grid. x: float32, bfloat16 or float16. A value that is not finite is
/// an Error naming `site`: on CUDA when the stage ends (modules/weights/device_counts.h).
Codes quantize(const at::Tensor& x, Grid grid, const std::string& site, bool want_in_range = false);
/// Quantizes on the grid that is `like` but for its scale: [1] float32, read on x's device.
Codes quantize(const at::Tensor& x, Grid like, const at::Tensor& scale, const std::string& site,
               bool want_in_range = false);

/// The grid with another scale, which the host reads where it lies; unchanged if that is undefined.
Grid with_scale(Grid like, const at::Tensor& scale);

/// Room for codes on a grid, in the shape of `like`: int8, or uint8 if the grid is unsigned.
at::Tensor empty_codes(const at::Tensor& like, Grid grid);

}  // namespace dualpath::quant
