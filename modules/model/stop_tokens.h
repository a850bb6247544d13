#pragma once

#include <cstdint>
#include <set>

#include "modules/model/model.h"

namespace dualpath::modules {

/// The tokens that end a text: the tokenizer's eos, and "eos_token_id" of config.json and of
/// generation_config.json, each a number or a list. They often differ: instruction-tuned models end
/// a turn with another token than a text. A value of another kind is an Error naming the file.
std::set<std::int64_t> stop_tokens(const Model& model);

}  // namespace dualpath::modules
