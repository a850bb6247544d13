#pragma once

#include <string>
#include <vector>

#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Spells the keys that a trained result depends on, a line each. Files are bound by their contents
/// instead.
std::vector<std::string> binding_lines(Recipe recipe);
/// Spells the keys that processes which share a run must have in common: all but paths, and those
/// that change what is printed alone.
std::vector<std::string> common_lines(Recipe recipe);

/// Says where two recipes' lines differ first; empty if they are equal.
std::string first_difference(const std::vector<std::string>& there,
                             const std::vector<std::string>& here);

}  // namespace dualpath::trainer
