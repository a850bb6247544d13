#pragma once

#include <map>
#include <string>

#include "modules/config/conformer_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// A speech encoder's stages, of the stream kAudio: the subsampling (of torchaudio's form: nothing
/// but the input itself), then the layers. The stream's input is [B, T, num_mel_bins], its mask
/// [B, T]; undefined: all frames are real. A clip's hidden
/// states do not depend on the batch or its padding. (torchaudio's own do: it does not mask before
/// its convolution.) prefix: of every name, e.g. "encoder.".
Network make_conformer(const ConformerConfig& config, const std::string& prefix = "");

/// Our names for the tensors that torchaudio's attention keeps under names of no module:
/// "….in_proj.weight" -> "….in_proj_weight". See TiedWeights.
std::map<std::string, std::string> conformer_aliases(const ConformerConfig& config,
                                                     const std::string& prefix = "");

}  // namespace dualpath::modules
