#pragma once

#include <cstdint>
#include <string>

#include "modules/config/cmal_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The cross-modal alignment layer of one modality. Makes an encoder's hidden states [B, T,
/// in_features] a decoder's [B, S, out_features]. It is one stage of that modality's stream:
///
///   norm       a layer norm, "norm"
///   merge      n = merge_size: squares of n x n patches of the stream's grid become one of n²
///              times the width (a class token is left out; Qwen2-VL, Wang et al. 2024, section
///              2.1), or n frames in a row, the last filled up with zeros, one of n times the
///              width (SLAM-ASR, Ma et al. 2024, section 3.2)
///   projection two linears with GELU between, "fc1" and "fc2" (LLaVA-1.5, Liu et al. 2024,
///              section 3.3)
///   resampler  by option: num_queries learned queries "queries" [1, Q, out_features] attend to
///              the projected states; the results are added to the queries: "query", "key",
///              "value", "output" (Flamingo, Alayrac et al. 2022, section 2.1); S is Q then
///   embedding  the modality's, "modality" [1, 1, out_features], is added
///
/// Padding stays without effect. `name` is the path of the module and of its stage. A grid that
/// merge_size does not divide is an Error.
Network make_cmal(const CmalConfig& config, Modality modality, std::int64_t in_features,
                  std::int64_t out_features, const std::string& name);

}  // namespace dualpath::modules
