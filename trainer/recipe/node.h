#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/recipe/errors.h"

namespace dualpath::trainer {

/// A piece of YAML as it was written: nothing is interpreted yet, and every piece knows its place.
struct RecipeNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Place place{};
  std::string key{};  ///< under which a map holds it
  Place key_place{};
  std::string text{};   ///< of a scalar; of null the word for it, empty where nothing is written
  bool quoted = false;  ///< "8" is a text, never a number
  std::vector<RecipeNode> children{};

  const RecipeNode* find(std::string_view child_key) const;
  RecipeNode* find(std::string_view child_key);
};

/// Reads one YAML document; an empty one is null. A key given twice is a mistake (the first one
/// counts), and so are, with nothing as the result, broken YAML and what no recipe needs but
/// attacks are made of: more than 10 000 keys and values, nesting deeper than 32, aliases, tags,
/// several documents, control characters.
std::optional<RecipeNode> parse_recipe(std::string_view yaml, RecipeErrors& errors);

/// Puts "section.key=value", the value in YAML, over what root holds there. A value that is empty,
/// as where a script's variable is, is a mistake: the default is written null.
void apply_override(RecipeNode& root, std::string_view assignment, RecipeErrors& errors);

}  // namespace dualpath::trainer
