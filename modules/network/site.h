#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/named.h"
#include "modules/config/modality.h"

namespace dualpath::modules {

/// The checkpoint's own module path plus a word: "model.layers.3.mlp.down_proj.input".
using SiteName = std::string;

inline SiteName site(const std::string& module, std::string_view word) {
  return module + "." + std::string(word);
}

/// Operands of an attention's products, probabilities apart.
enum class Operand { kQuery, kKey, kValue };
inline constexpr Named<Operand> kOperands[] = {
    {"query", Operand::kQuery}, {"key", Operand::kKey}, {"value", Operand::kValue}};
inline std::string_view name_of(Operand operand) { return name_in(kOperands, operand); }

/// A tensor's role at its consumer.
enum class Role { kInput, kWeight, kQuery, kKey, kValue };
inline constexpr Named<Role> kRoles[] = {{"input", Role::kInput},
                                         {"weight", Role::kWeight},
                                         {"query", Role::kQuery},
                                         {"key", Role::kKey},
                                         {"value", Role::kValue}};
inline std::string_view name_of(Role role) { return name_in(kRoles, role); }

/// One tensor at one consumer that may be quantized.
struct Site {
  SiteName name;  ///< ends in the role's word
  Role role = Role::kInput;
  std::string stage;                     ///< the stage that reads it; the head's is the head's name
  Modality stream = Modality::kText;     ///< the stage's
  std::vector<std::int64_t> shape = {};  ///< a weight's own; else one position's: [in], [heads, D]
};

}  // namespace dualpath::modules
