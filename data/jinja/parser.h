#pragma once

#include <string>
#include <string_view>

#include "data/jinja/syntax.h"

namespace dualpath::data::jinja {

/// Reads a template (UTF-8). Errors have name and line, also for a tag that is not supported:
/// block, extends, include, import, call and the like, and recursive loops.
Body parse(std::string_view source, const std::string& name);

}  // namespace dualpath::data::jinja
