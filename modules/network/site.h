#pragma once

#include <string>
#include <string_view>

#include "data/base/named.h"

namespace dualpath::modules {

/// One tensor at one consumer that may be quantized: the checkpoint's own module path plus a role,
/// e.g. "model.layers.3.mlp.down_proj.input" or "model.layers.3.self_attn.query".
using Site = std::string;

inline Site site(const std::string& module, std::string_view role) {
  return module + "." + std::string(role);
}

/// What an attention multiplies, its probabilities apart.
enum class Operand { kQuery, kKey, kValue };
inline constexpr Named<Operand> kOperands[] = {
    {"query", Operand::kQuery}, {"key", Operand::kKey}, {"value", Operand::kValue}};
inline std::string_view name_of(Operand operand) { return name_in(kOperands, operand); }

}  // namespace dualpath::modules
