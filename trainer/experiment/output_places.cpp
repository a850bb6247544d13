#include "trainer/experiment/output_places.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "data/files/places.h"
#include "data/text/blend.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

/// A path of the recipe, with its key.
struct KeyPath {
  std::string key;
  fs::path path;
};

/// Adds the data's path and, of a blend, its sources'.
void add_data(const std::string& key, const fs::path& path, std::vector<KeyPath>& inputs) {
  if (path.empty()) return;
  inputs.push_back({key, path});
  for (const data::BlendSource& source : data::blend_sources(path))
    if (source.path != path) inputs.push_back({key, source.path});
}

std::vector<KeyPath> inputs_of(const Recipe& recipe) {
  std::vector<KeyPath> inputs{{"model.path", recipe.model.path}};
  if (!recipe.train.teacher.empty()) inputs.push_back({"train.teacher", recipe.train.teacher});
  add_data("data.train", recipe.data.train, inputs);
  add_data("data.selection", recipe.data.selection, inputs);
  add_data("data.test", recipe.data.test, inputs);
  add_data("data.out_of_domain", recipe.data.out_of_domain, inputs);
  for (const EvaluateSet& set : recipe.evaluate.sets)
    add_data("evaluate.sets." + set.name, set.path, inputs);
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
