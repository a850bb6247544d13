#pragma once

#include <string>
#include <vector>

namespace dualpath::quant {

/// Whether `target` names `name`: by being equal to it, or as "re:" and a regular expression that
/// matches from the start, as in compressed-tensors. A broken expression is a UsageError.
bool matches(const std::string& target, const std::string& name);
bool matches_any(const std::vector<std::string>& targets, const std::string& name);

/// For a target that matched nothing: "“lm_haed” matches no linear; nearest: lm_head".
std::string unmatched(const std::string& target, const std::string& what,
                      const std::vector<std::string>& names);

}  // namespace dualpath::quant
