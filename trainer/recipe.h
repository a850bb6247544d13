#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "trainer/options.h"

namespace dualpath::trainer {

/// Reads a recipe: default < file < overrides, each of these "section.key=value" with the value in
/// YAML; it replaces what the file has there. Whether the paths in it exist is not looked at.
/// Throws one UsageError that holds every mistake, a line each: unknown keys (with the nearest
/// known one), keys given twice or missing, values of the wrong type or out of range, what does not
/// fit together.
Recipe load_recipe(const std::filesystem::path& path,
                   const std::vector<std::string>& overrides = {});

/// The recipe as YAML with every key and value; load_recipe reads it back equal.
std::string to_yaml(const Recipe& recipe);

}  // namespace dualpath::trainer
