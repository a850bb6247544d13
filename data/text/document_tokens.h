#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/text/text.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace dualpath::data {

/// A document's tokens. If answers are marked, a token is a target if it holds at least one
/// character of an answer, as in transformers' assistant mask. A token that begins before the
/// answer or ends behind it counts whole.
Tokens tokens_of(const Tokenizer& tokenizer, const Document& document);

/// The bytes of tokens in a row: the text, unless the tokenizer changes it.
std::string bytes_of(const Tokenizer& tokenizer, std::span<const std::int32_t> ids);

/// Appends the end-of-sequence token, if the tokenizer has one. It is context if targets are
/// marked.
void append_end(const Tokenizer& tokenizer, Tokens& tokens);

void append(const Tokens& more, Tokens& tokens);

}  // namespace dualpath::data
