#pragma once

#include <string>
#include <vector>

namespace dualpath {

/// Folds rows of a table that are alike but for an index in their names: parts of a name between
/// dots that are numbers, as in "model.layers.7.mlp.down_proj".
/// rows: each is a name and then other cells. A cell that begins like the name, up to and with the
/// index, is folded along; all other cells must be equal.
///   {"layers.0.up", "8x4"}, {"layers.1.up", "8x4"}, {"layers.3.up", "8x4"}
///   -> {"layers.{0-1,3}.up", "8x4"}
/// The result keeps the order of each fold's first row.
std::vector<std::vector<std::string>> in_ranges(std::vector<std::vector<std::string>> rows);
/// Folds names alone in the same way.
std::vector<std::string> in_ranges(const std::vector<std::string>& names);

}  // namespace dualpath
