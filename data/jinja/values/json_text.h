#pragma once

#include <optional>
#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

struct JsonStyle {
  std::optional<std::string> indent;  ///< of one level; without it all is one line
  std::string comma = ", ", colon = ": ";
  bool ascii = false;  ///< other characters as \u escapes
  bool sort_keys = false;
};

/// As Python's json.dumps(). Error for what JSON has not.
std::string json_text(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace dualpath::data::jinja
