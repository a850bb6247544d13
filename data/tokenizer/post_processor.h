#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/formats/json.h"

namespace dualpath::data {

/// The tokens that a tokenizer.json's "post_processor" puts around a text.
struct PostProcessor {
  std::vector<std::int32_t> before, after;
  std::string unsupported;  ///< a type we do not know; then both lists are empty
};

/// Reads a TemplateProcessing, alone or in a Sequence; ByteLevel puts nothing around a text.
PostProcessor read_post_processor(const JsonObject& tokenizer);

}  // namespace dualpath::data
