#pragma once

#include <string>

namespace dualpath::modules {

/// One tensor at one consumer that may be quantized: the checkpoint's own module path plus a role,
/// e.g. "model.layers.3.mlp.down_proj.input" or "model.layers.3.self_attn.query".
using Site = std::string;

inline Site site(const std::string& module, const char* role) { return module + "." + role; }

}  // namespace dualpath::modules
