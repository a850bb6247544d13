#pragma once

#include <memory>
#include <vector>

#include "data/samples/samples.h"
#include "data/text/data_options.h"
#include "modules/model/model.h"

namespace dualpath::trainer {

/// What a recipe's `data` names, as samples: windows of text, or where a text names pictures or
/// clips a sample a text.
struct Texts {
  std::unique_ptr<data::Samples> train;          ///< training and calibration
  std::unique_ptr<data::Samples> selection;      ///< decides which corrections stay
  std::unique_ptr<data::Samples> test;           ///< in domain; read by evaluate only
  std::unique_ptr<data::Samples> out_of_domain;  ///< null if there is none
};

/// Error for what cannot be read or does not fill a window; with assistant_only_loss for text that
/// is no conversation: all of it or none of it would be trained on, and neither was asked for.
Texts load_texts(const data::DataOptions& options, const modules::Model& model);

/// A mistake of the recipe: windows longer than the positions that the model was trained for.
void check_window(const data::DataOptions& options, const modules::ModelConfig& config);

/// n samples at even distances, each a batch of its own.
std::vector<data::Batch> spread_samples(const data::Samples& samples, std::size_t n);

}  // namespace dualpath::trainer
