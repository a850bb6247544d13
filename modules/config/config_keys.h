#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::modules {

// Rules for the keys of a config.json. No key that changes a result may be passed over: it is used,
// or refused here by name. A key that transformers' class for a model_type does not read has no
// effect there, so the vendors' own keys are left alone.

/// Refuses keys that no network of ours computes, in any part of a model: other weights, layers
/// with configurations of their own, and the arithmetic of other families.
void refuse_other_arithmetic(const data::JsonObject& config);

/// The object that describes a rotation; in a file of transformers 5, all of it. transformers takes
/// rope_scaling, the key's older name, if that says anything, else rope_parameters.
std::optional<data::JsonObject> rotation_of(const data::JsonObject& config);

/// Checks a key that transformers heeds: its value must be the one that follows from other keys.
void require_same(const data::JsonObject& config, std::string_view key, std::int64_t derived);

/// Checks an object whose keys are all known: another key is an Error that lists them. null counts
/// as absent.
void require_known_keys(const data::JsonObject& config,
                        std::initializer_list<std::string_view> known);

/// Likewise, but lets pass transformers' keys that have no effect on any network.
void require_known_or_general_keys(const data::JsonObject& config,
                                   std::initializer_list<std::string_view> known);

}  // namespace dualpath::modules
