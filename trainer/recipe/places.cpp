#include "trainer/recipe/places.h"

#include <fmt/format.h>

#include <utility>

#include "data/base/error.h"

namespace dualpath::trainer {

RecipePlaces::RecipePlaces(std::string file, const RecipeNode& root) : file_(std::move(file)) {
  add("", root);
  places_[""] = {1, 1};  // the place of keys that the recipe lacks
}

void RecipePlaces::add(const std::string& key, const RecipeNode& node) {
  places_.try_emplace(key, node.place);  // a key given twice: the first one counts
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const RecipeNode& child = node.children[i];
    if (node.kind == RecipeNode::Kind::kList) {
      add(fmt::format("{}[{}]", key, i), child);
    } else {
      add(key.empty() ? child.key : fmt::format("{}.{}", key, child.key), child);
    }
  }
}

Place RecipePlaces::at(std::string_view key) const {
  while (true) {
    const auto found = places_.find(key);
    if (found != places_.end()) return found->second;
    const std::size_t end = key.find_last_of(".[");
    key = key.substr(0, end == std::string_view::npos ? 0 : end);
  }
}

}  // namespace dualpath::trainer
