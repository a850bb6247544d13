#pragma once

#include <string>

#include "modules/config/whisper_config.h"
#include "modules/network/network.h"

namespace dualpath::modules {

/// The speech encoder of a Whisper, with stages of the stream kAudio: two convolutions, of which
/// the second halves the number of frames, and positions; the layers; a norm.
///
/// The stream's input is [B, T, num_mel_bins], T at most max_frames(), its mask [B, T]; if
/// undefined, all frames are real. transformers takes T = max_frames() alone, and no mask: silence
/// fills a clip up and is an input as any other. So every position sees all of them, whatever the
/// mask says. Where the mask is false, hidden states are computed, but they are padding to all that
/// comes behind: observers, distances, the alignment layer.
///
/// prefix: before every name, e.g. "audio_tower.". Behind it stands the encoder's place in the
/// class that saved it. The class's other tensors are parts_without_effect.
Network make_whisper(const WhisperConfig& config, const std::string& prefix = "");

}  // namespace dualpath::modules
