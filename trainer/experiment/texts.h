#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/samples/samples.h"
#include "data/text/data_options.h"
#include "modules/model/model.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// The samples of one of evaluate.sets.
struct NamedSamples {
  std::string name;
  std::unique_ptr<data::Samples> samples;
};

/// The texts of a recipe's `data` as samples: windows of text or, if any text names pictures or
/// clips, a sample a text.
struct Texts {
  std::unique_ptr<data::Samples> train;          ///< training and calibration
  std::unique_ptr<data::Samples> selection;      ///< decides which corrections stay
  std::unique_ptr<data::Samples> test;           ///< in domain; read by evaluate only
  std::unique_ptr<data::Samples> out_of_domain;  ///< null if there is none
  std::vector<NamedSamples> sets = {};           ///< those of evaluate.sets that were asked for
};

/// Loads the texts, and some sets of samples that are never trained on. A set, selection or test
/// that is a file of the training text is a mistake of the recipe. A text that cannot be read or
/// does not fill a window is an Error.
Texts load_texts(const data::DataOptions& options, const modules::Model& model,
                 const std::vector<EvaluateSet>& sets = {});

/// Refuses windows longer than the positions that the model was trained for, a mistake of the
/// recipe.
void check_window(const data::DataOptions& options, const modules::ModelConfig& config);

/// Picks n samples at even distances, each a batch of its own.
std::vector<data::Batch> spread_samples(const data::Samples& samples, std::size_t n);

}  // namespace dualpath::trainer
