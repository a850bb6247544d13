#pragma once

#include <cstdint>

#include "data/formats/json.h"

namespace dualpath::modules {

/// The cross-modal alignment layer (CMAL) of one modality.
struct CmalConfig {
  /// Squares of merge_size x merge_size patches, or merge_size frames in a row, become one.
  std::int64_t merge_size = 1;
  std::int64_t intermediate_size = 0;  ///< the width between the two linears
  double layer_norm_eps = 1e-5;
  std::int64_t num_queries = 0;          ///< the resampler's; 0: there is none
  std::int64_t num_attention_heads = 8;  ///< the resampler's

  /// Reads and checks an object with these keys. A missing intermediate_size is `width`, the
  /// decoder's hidden_size.
  static CmalConfig from_json(const data::JsonObject& config, std::int64_t width);
};

}  // namespace dualpath::modules
