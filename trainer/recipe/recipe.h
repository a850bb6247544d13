#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/base/recipe_mistakes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// Reads a recipe: defaults, then the file, then the overrides. An override is "section.key=value"
/// with the value in YAML; it replaces the file's value there. Paths are not checked for existence.
/// Throws one UsageError that holds every mistake, a line each. Mistakes are unknown keys (with the
/// nearest known one), keys given twice or missing, values of the wrong type or out of range, and
/// values that do not fit together.
Recipe load_recipe(const std::filesystem::path& path,
                   const std::vector<std::string>& overrides = {});

/// Reads the key `device` from overrides where there is no recipe; another key is a UsageError.
std::optional<at::Device> load_device(const std::vector<std::string>& overrides);

/// Writes the recipe as YAML with every key and value; load_recipe reads it back equal.
std::string to_yaml(const Recipe& recipe);

/// Throws a UsageError with a line for each mistake, in the recipe's order. Each line says where
/// its key stands: "recipes/x.yaml:14:11: quantize.ignore[0]: …", "--set quantize.ignore[0]: …".
[[noreturn]] void refuse(const Recipe& recipe, const std::vector<RecipeMistake>& mistakes);

}  // namespace dualpath::trainer
