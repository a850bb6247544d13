#pragma once

#include <string>

namespace dualpath::modules {

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

/// The activation of Hugging Face's name. `where`: its place, for the error.
Activation activation_named(const std::string& name, const std::string& where);
const char* name_of(Activation activation);

}  // namespace dualpath::modules
