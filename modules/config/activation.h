#pragma once

#include <string>

namespace dualpath::modules {

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

/// By Hugging Face's name; `where` says in the error whose it is.
Activation activation_named(const std::string& name, const std::string& where);
const char* name_of(Activation activation);

}  // namespace dualpath::modules
