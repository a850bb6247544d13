#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dualpath::data::jinja {

enum class TokenKind {
  kData,           ///< text between the tags: `text`
  kVariableBegin,  ///< {{
  kVariableEnd,    ///< }}
  kBlockBegin,     ///< {%
  kBlockEnd,       ///< %}
  kName,           ///< `text`
  kString,         ///< `text`, unescaped
  kInteger,        ///< `integer`
  kFloat,          ///< `real`
  kOperator,       ///< `text`: "+", "==", …
  kEnd,
};

struct Token {
  TokenKind kind;
  int line;
  std::string text = {};
  std::int64_t integer = 0;
  double real = 0.0;
};

/// Cuts a template into tokens as Jinja does with trim_blocks and lstrip_blocks. The newline behind
/// a block or comment goes, and so does white space before one at the start of a line; "-" and "+"
/// at a tag say otherwise. The last token is kEnd. source: UTF-8. Errors have name and line.
std::vector<Token> tokenize(std::string_view source, const std::string& name);

}  // namespace dualpath::data::jinja
