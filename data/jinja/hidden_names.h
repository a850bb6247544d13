#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/jinja/syntax.h"

namespace dualpath::data::jinja {

/// The names that each body sets before it reads them itself. Jinja settles the meaning of a name
/// for a whole template, loop, macro or block before it runs. So no variable of such a name is seen
/// there, not even by the loops and macros inside that come before the name is set.
using HiddenNames = std::map<const Body*, std::vector<std::string>>;

/// Finds the names. Taking more steps than a template may is an Error.
HiddenNames hidden_names(Runtime& runtime, const Body& whole);

}  // namespace dualpath::data::jinja
