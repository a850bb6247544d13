#include "trainer/experiment/output_places.h"

#include <fmt/format.h>

#include <vector>

#include "data/files/places.h"
#include "data/text/blend.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

/// A path of the recipe, with its key.
struct KeyPath {
  const char* key;
  fs::path path;
};

std::vector<KeyPath> inputs_of(const Recipe& recipe) {
  std::vector<KeyPath> inputs{{"model.path", recipe.model.path}, {"data.train", recipe.data.train}};
  for (const data::BlendSource& source : data::blend_sources(recipe.data.train))
    if (source.path != recipe.data.train) inputs.push_back({"data.train", source.path});
  if (!recipe.data.out_of_domain.empty())
    inputs.push_back({"data.out_of_domain", recipe.data.out_of_domain});
  return inputs;
}

void refuse(const Recipe& recipe, const KeyPath& output, const char* relation,
            const KeyPath& other) {
  trainer::refuse(
      recipe,
      {{output.key, fmt::format("expected a directory of its own, but {} {} {} ({})",
                                output.path.string(), relation, other.key, other.path.string())}});
}

void refuse_around(const Recipe& recipe, const KeyPath& output, const KeyPath& other) {
  if (!is_or_lies_in(other.path, output.path)) return;
  const bool is_same = is_or_lies_in(output.path, other.path);
  refuse(recipe, output, is_same ? "is" : "holds", other);
}

void refuse_touching(const Recipe& recipe, const KeyPath& output, const KeyPath& other) {
  refuse_around(recipe, output, other);
  if (is_or_lies_in(output.path, other.path)) refuse(recipe, output, "lies in", other);
}

/// The files elsewhere that a folder of links (a download cache's) leads to.
std::vector<KeyPath> linked_files(const KeyPath& input) {
  std::vector<KeyPath> files;
  if (!fs::is_directory(input.path)) return files;
  for (const auto& entry : fs::directory_iterator(input.path))
    if (entry.is_symlink()) files.push_back({input.key, fs::weakly_canonical(entry.path())});
  return files;
}

void check_inputs(const Recipe& recipe, const KeyPath& output) {
  for (const KeyPath& input : inputs_of(recipe)) {
    refuse_touching(recipe, output, input);
    for (const KeyPath& file : linked_files(input)) refuse_around(recipe, output, file);
  }
}

}  // namespace

void check_run_place(const Recipe& recipe) {
  check_inputs(recipe, {"train.output_dir", recipe.train.output_dir});
}

void check_export_place(const Recipe& recipe) {
  if (recipe.export_.output_dir.empty()) return;
  const KeyPath output{"export.output_dir", recipe.export_.output_dir};
  check_inputs(recipe, output);
  refuse_touching(recipe, output, {"train.output_dir", recipe.train.output_dir});
}

}  // namespace dualpath::trainer
