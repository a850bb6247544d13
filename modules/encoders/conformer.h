#pragma once

#include <map>
#include <string>

#include "modules/config/conformer_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// A speech encoder's stages, in the stream kAudio: the subsampling (torchaudio's form has none and
/// takes the input itself), then the layers. The stream's input is [B, T, num_mel_bins], its mask
/// [B, T]; if undefined, all frames are real. A clip's hidden states do not depend on the batch or
/// its padding. (torchaudio's own do: it does not mask before its convolution.) prefix: before
/// every name, e.g. "encoder.".
Network make_conformer(const ConformerConfig& config, const std::string& prefix = "");

/// Our names for tensors of torchaudio's attention whose names have no module: "….in_proj.weight"
/// -> "….in_proj_weight". See TiedWeights.
std::map<std::string, std::string> conformer_aliases(const ConformerConfig& config,
                                                     const std::string& prefix = "");

}  // namespace dualpath::modules
