#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/jinja/syntax.h"

namespace dualpath::data::jinja {

/// By body, the names that it sets before it reads them itself. Jinja settles for a whole template,
/// loop, macro or block what a name stands for before it runs: no variable of such a name is seen
/// there, not even by the loops and macros inside that come before the name is set.
using HiddenNames = std::map<const Body*, std::vector<std::string>>;

/// Error when finding them takes more than a template may.
HiddenNames hidden_names(Runtime& runtime, const Body& whole);

}  // namespace dualpath::data::jinja
