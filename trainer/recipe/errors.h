#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dualpath::trainer {

/// A place in a recipe's file, counted from 1. Line 0 is a value given by --set.
struct Place {
  int line = 0;
  int column = 0;

  auto operator<=>(const Place&) const = default;
};

/// Collects the mistakes of one recipe, so that its author sees all of them at once.
class RecipeErrors {
 public:
  explicit RecipeErrors(std::string file) : file_(std::move(file)) {}

  /// Adds a mistake. key: the whole way to it, "train.max_steps"; empty for a mistake in the file
  /// itself.
  void add(Place place, std::string_view key, std::string_view message);
  std::size_t count() const { return mistakes_.size(); }
  /// Throws a UsageError with a line for each mistake. Mistakes of --set come first, then the
  /// file's in its order:
  ///   --set loss.kl: expected …, got …
  ///   recipes/x.yaml:14:11: train.max_steps: expected …, got …
  void throw_if_any() const;

 private:
  struct Mistake {
    Place place;
    std::string line;
  };

  std::string file_;
  std::vector<Mistake> mistakes_;
};

}  // namespace dualpath::trainer
