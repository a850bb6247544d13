#pragma once

#include <cstdint>
#include <string_view>

#include "data/base/named.h"

namespace dualpath::modules {

/// The kind of input that a position stands for.
enum class Modality { kText, kImage, kAudio };
inline constexpr Named<Modality> kModalities[] = {
    {"text", Modality::kText}, {"image", Modality::kImage}, {"audio", Modality::kAudio}};
inline std::string_view name_of(Modality modality) { return name_in(kModalities, modality); }

/// Tokens that stand for a tower's hidden states: each is replaced by one of them, in order.
struct Placeholder {
  Modality modality;
  std::int64_t token_id;
};

}  // namespace dualpath::modules
