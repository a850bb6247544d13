#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "data/formats/json.h"

namespace dualpath::modules {

// Keys of a config.json that are read without being needed. No key that changes a result may be
// passed over: it is used, or refused here by name. What transformers' class for a model_type does
// not read has no effect there, so the vendors' own keys are left alone.

/// Refuses what no network of ours computes in whichever part of a model: other weights, layers
/// with configurations of their own, and the arithmetic of other families.
void refuse_other_arithmetic(const data::JsonObject& config);

/// The object that describes a rotation; in a file of transformers 5, all of it. Of rope_scaling,
/// the key's older name, and rope_parameters transformers takes the first, if it says anything.
std::optional<data::JsonObject> rotation_of(const data::JsonObject& config);

/// A key that transformers heeds and that may only say what follows from other keys.
void require_same(const data::JsonObject& config, std::string_view key, std::int64_t derived);

/// For an object whose keys are all known: another one is an Error that lists them. null counts as
/// absent.
void require_known_keys(const data::JsonObject& config,
                        std::initializer_list<std::string_view> known);

/// Likewise, where transformers' keys that are without effect on any network stand beside them.
void require_known_or_general_keys(const data::JsonObject& config,
                                   std::initializer_list<std::string_view> known);

}  // namespace dualpath::modules
