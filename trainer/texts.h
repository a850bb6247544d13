#pragma once

#include <optional>
#include <vector>

#include "data/data_options.h"
#include "data/tokenizer.h"
#include "data/windows.h"

namespace dualpath::trainer {

/// The texts of a recipe as token windows.
struct Texts {
  data::Windows train;      ///< training and calibration
  data::Windows selection;  ///< decides which corrections stay
  data::Windows test;       ///< in domain; read by evaluate only
  std::optional<data::Windows> out_of_domain;
};

Texts load_texts(const data::DataOptions& options, const data::Tokenizer& tokenizer);

/// n windows at even distances, as ids [1, T] each without padding: for calibration.
std::vector<at::Tensor> spread_windows(const data::Windows& windows, std::int64_t n);

}  // namespace dualpath::trainer
