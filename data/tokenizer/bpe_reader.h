#pragma once

#include "data/formats/json.h"
#include "data/tokenizer/bpe.h"

namespace dualpath::data {

/// Reads the "model" of a tokenizer.json: BPE over bytes. Other models, dropout, byte_fallback and
/// prefixes or suffixes of subwords are an Error that names them.
Bpe read_bpe(const JsonObject& model);

}  // namespace dualpath::data
