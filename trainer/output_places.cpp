#include "trainer/output_places.h"

#include <vector>

#include "data/base/error.h"
#include "data/base/places.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

struct Place {
  const char* key;
  fs::path path;
};

std::vector<Place> inputs_of(const Recipe& recipe) {
  std::vector<Place> inputs{{"model.path", recipe.model.path}, {"data.train", recipe.data.train}};
  if (!recipe.data.out_of_domain.empty())
    inputs.push_back({"data.out_of_domain", recipe.data.out_of_domain});
  return inputs;
}

[[noreturn]] void refuse(const Place& output, const char* relation, const Place& other) {
  throw UsageError("{}: expected a directory of its own, but {} {} {} ({})", output.key,
                   output.path.string(), relation, other.key, other.path.string());
}

void refuse_around(const Place& output, const Place& other) {
  if (!is_or_lies_in(other.path, output.path)) return;
  refuse(output, is_or_lies_in(output.path, other.path) ? "is" : "holds", other);
}

void refuse_within(const Place& output, const Place& other) {
  if (is_or_lies_in(output.path, other.path)) refuse(output, "lies in", other);
}

void check_inputs(const Recipe& recipe, const Place& output) {
  for (const Place& input : inputs_of(recipe)) {
    refuse_around(output, input);
    refuse_within(output, input);
  }
}

}  // namespace

void check_run_place(const Recipe& recipe) {
  check_inputs(recipe, {"train.output_dir", recipe.train.output_dir});
}

void check_export_place(const Recipe& recipe) {
  if (recipe.export_.output_dir.empty()) return;
  const Place output{"export.output_dir", recipe.export_.output_dir};
  check_inputs(recipe, output);
  refuse_around(output, {"train.output_dir", recipe.train.output_dir});
}

}  // namespace dualpath::trainer
