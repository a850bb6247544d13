#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/formats/json.h"

namespace dualpath::data {

/// The tokens that a tokenizer.json's "post_processor" puts around a text.
struct PostProcessor {
  std::vector<std::int32_t> before, after;
  std::string unsupported;  ///< a type we do not know; then the two are empty
};

/// Of a TemplateProcessing, alone or in a Sequence; ByteLevel puts nothing around.
PostProcessor read_post_processor(const JsonObject& tokenizer);

}  // namespace dualpath::data
