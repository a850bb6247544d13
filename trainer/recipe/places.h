#pragma once

#include <map>
#include <string>
#include <string_view>

#include "trainer/recipe/errors.h"
#include "trainer/recipe/node.h"

namespace dualpath::trainer {

/// The places of a recipe's values in its file or on the command line, for mistakes that show only
/// beside the model. They are no part of a recipe's meaning: all compare equal, and no file holds
/// them.
class RecipePlaces {
 public:
  /// Makes the places of a recipe that was not read from a file.
  RecipePlaces() = default;
  /// Takes the places of root, the recipe's nodes with the overrides.
  RecipePlaces(std::string file, const RecipeNode& root);

  bool empty() const { return places_.empty(); }
  /// The place of "quantize.ignore[1]" or, if that is not given, of the nearest key above it.
  Place at(std::string_view key) const;
  /// Makes a collector for mistakes of this recipe.
  RecipeErrors errors() const { return RecipeErrors(file_); }

  bool operator==(const RecipePlaces& /*other*/) const { return true; }

 private:
  void add(const std::string& key, const RecipeNode& node);

  std::string file_;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace dualpath::trainer
