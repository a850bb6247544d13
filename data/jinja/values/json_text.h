#pragma once

#include <optional>
#include <string>

#include "data/jinja/values/value.h"

namespace dualpath::data::jinja {

struct JsonStyle {
  std::optional<std::string> indent;  ///< the indent of one level; if not given, all is one line
  std::string comma = ", ", colon = ": ";
  bool ascii = false;  ///< whether other characters become \u escapes
  bool sort_keys = false;
};

/// Writes like Python's json.dumps(). A value that JSON does not have is an Error.
std::string json_text(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace dualpath::data::jinja
