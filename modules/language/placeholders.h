#pragma once

#include "modules/network/executor.h"
#include "modules/network/state.h"

namespace dualpath::modules {

/// Replaces the placeholder tokens in the decoder's hidden states, if the state has that tower, and
/// notes in `kinds` what they stand for. Placeholders that are not as many as the tower's real
/// hidden states are an Error.
void fill(Executor& executor, const Placeholder& placeholder, State& state);

/// Executor::fill.
FilledPlaceholders filled(const Placeholder& placeholder, const PlaceholderOperands& operands);

/// Gives the positions of ids that stand for images three rows: of a token of text its place three
/// times; of an image the place it begins at, and that plus each row and column of its grid. The
/// next token's place is behind the larger side (M-RoPE; Wang et al. 2024, Qwen2-VL, section 2.1).
/// A cache learns how many places were saved. Does nothing where there are no images, or theirs
/// lie in no grid.
void place_images(State& state);

}  // namespace dualpath::modules
