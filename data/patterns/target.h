#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dualpath::data {

/// Whether `target` names `name`: it is equal, or it is "re:" and one of Python's regular
/// expressions that matches from the start, as in compressed-tensors. A mistake that target_mistake
/// finds is a UsageError.
bool matches(const std::string& target, const std::string& name);
bool matches_any(const std::vector<std::string>& targets, const std::string& name);

/// The mistake that keeps `target` from being one: its expression is broken or not supported.
std::optional<std::string> target_mistake(const std::string& target);

/// The message for a target that matched nothing, with a name or a part of one that is near it:
///   "lm_haed" matches no linear; nearest: lm_head
///   "re:.*mpl.*" matches no linear; nearest to mpl: mlp
std::string unmatched(const std::string& target, const std::string& what,
                      const std::vector<std::string>& names);

}  // namespace dualpath::data
