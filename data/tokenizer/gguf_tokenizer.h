#pragma once

#include "data/formats/gguf.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// Writes a GGUF file's tokenizer as the Hugging Face files it once came from, which `tokenizers`
/// and transformers read. tokenizer.ggml.model must be "gpt2", and tokenizer.ggml.pre one that we
/// know: smollm, gpt-2, default (taken for GPT-2's) or llama-bpe. Anything else is an Error, and so
/// is an unknown key tokenizer.*.
TokenizerFiles tokenizer_files_from_gguf(const GgufReader& reader);

}  // namespace dualpath::data
