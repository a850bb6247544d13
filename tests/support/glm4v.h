#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "modules/network/state.h"
#include "modules/weights/tensor_view.h"
#include "tests/support/model.h"

namespace dualpath::testing {

inline const std::filesystem::path kGlm4v = kReference / "glm4v";

/// Pictures first to last of tests/reference/glm4v.py's output, side by side.
inline modules::Stream pictures(modules::NamedTensors& expected, std::int64_t first,
                                std::int64_t last, std::int64_t padding = 0) {
  std::vector<at::Tensor> patches;
  std::int64_t longest = 0;
  for (std::int64_t i = first; i <= last; ++i) {
    patches.push_back(expected["patches." + std::to_string(i)]);
    longest = std::max(longest, patches.back().size(0));
  }
  longest += padding;
  modules::Stream stream;
  stream.grid = expected["grid"].slice(0, first, last + 1).contiguous();
  std::vector<at::Tensor> rows, masks;
  for (const at::Tensor& own : patches) {
    rows.push_back(at::constant_pad_nd(own, {0, 0, 0, longest - own.size(0)}, 7.0));
    masks.push_back(at::arange(longest) < own.size(0));
  }
  stream.input = at::stack(rows);
  stream.mask = at::stack(masks);
  return stream;
}

inline modules::State glm4v_state(modules::NamedTensors& expected, std::int64_t padding = 0) {
  modules::State state = modules::make_state(expected["ids"], expected["mask"].to(at::kBool));
  state.towers[modules::Modality::kImage] = pictures(expected, 0, 2, padding);
  return state;
}

/// A state with the same shapes and other words, patches and grids: columns are rows.
inline modules::State other_glm4v_state(const modules::State& state) {
  constexpr std::int64_t kImageToken = 512, kWords = 500;
  modules::State other = state;
  const at::Tensor is_word = (state.ids != kImageToken) & (state.ids < kWords);
  other.ids = at::where(is_word, (state.ids + 3) % kWords, state.ids);
  modules::Stream& images = other.towers[modules::Modality::kImage];
  images.input = images.input * 0.5;
  images.grid = images.grid.flip(1).contiguous();
  return other;
}

}  // namespace dualpath::testing
