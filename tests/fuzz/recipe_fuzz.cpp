#include "tests/fuzz/target.h"
#include "trainer/recipe/node.h"

using namespace dualpath;

// Reads a recipe, and its first line as an override of it.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    trainer::RecipeErrors errors("recipe.yaml");
    auto root = trainer::parse_recipe(content, errors);
    if (!root) root.emplace();
    trainer::apply_override(*root, content.substr(0, content.find('\n')), errors);
    errors.throw_if_any();
  });
}
