#pragma once

#include <map>
#include <string>
#include <string_view>

#include "trainer/recipe/errors.h"
#include "trainer/recipe/node.h"

namespace dualpath::trainer {

/// Where a recipe's values stand in its file or on the command line, for mistakes that show only
/// beside the model. It is no part of what a recipe says: all compare equal, and no file holds it.
class RecipePlaces {
 public:
  /// For a recipe that was not read from a file.
  RecipePlaces() = default;
  /// root: what was read, with the overrides.
  RecipePlaces(std::string file, const RecipeNode& root);

  bool empty() const { return places_.empty(); }
  /// Of "quantize.ignore[1]", or, where that is not given, of the nearest key above it.
  Place at(std::string_view key) const;
  /// To collect mistakes of this recipe.
  RecipeErrors errors() const { return RecipeErrors(file_); }

  bool operator==(const RecipePlaces& /*other*/) const { return true; }

 private:
  void add(const std::string& key, const RecipeNode& node);

  std::string file_;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace dualpath::trainer
