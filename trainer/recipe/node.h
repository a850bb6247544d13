#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/recipe/errors.h"

namespace dualpath::trainer {

/// A piece of YAML before any interpretation; every piece knows its place.
struct RecipeNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Place place{};
  std::string key{};  ///< the key under which a map holds it
  Place key_place{};
  std::string text{};   ///< a scalar's text, or null's word; empty if nothing is written
  bool quoted = false;  ///< a quoted "8" is a text, never a number
  std::vector<RecipeNode> children{};

  const RecipeNode* find(std::string_view child_key) const;
  RecipeNode* find(std::string_view child_key);
};

/// Reads one YAML document; an empty one is null. A key given twice is a mistake (the first one
/// counts). Broken YAML is a mistake with nothing as the result. So is YAML that no recipe needs
/// but attacks are made of. That is: more than 10 000 keys and values, nesting deeper than 32,
/// aliases, tags, several documents, control characters.
std::optional<RecipeNode> parse_recipe(std::string_view yaml, RecipeErrors& errors);

/// Puts "section.key=value" over root's value there; the value is YAML. An empty value (a script's
/// empty variable) is a mistake: the default is written null.
void apply_override(RecipeNode& root, std::string_view assignment, RecipeErrors& errors);

}  // namespace dualpath::trainer
