#pragma once

#include "modules/network/executor.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// Replaces the placeholder tokens in the decoder's hidden states, if the state has that tower.
/// Notes in `kinds` what they stand for. If there are not as many placeholders as the tower has
/// real hidden states, throws an Error.
void fill(Executor& executor, const Placeholder& placeholder, State& state);

/// Executor::fill.
FilledPlaceholders filled(const Placeholder& placeholder, const PlaceholderOperands& operands);

/// Gives ids that stand for images positions in three rows. A text token has its place three times.
/// An image has the place it begins at, and that plus each row and column of its grid. The next
/// token's place is behind the larger side (M-RoPE; Wang et al. 2024, Qwen2-VL, section 2.1). A
/// cache learns how many places were saved. Does nothing if there are no images, or theirs lie in
/// no grid.
void place_images(State& state);

}  // namespace dualpath::modules
