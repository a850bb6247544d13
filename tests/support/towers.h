#pragma once

#include <filesystem>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/model.h"

namespace dualpath::testing {

// Others' trained encoders, which tools/fetch_assets.py --towers makes.
inline const std::filesystem::path kWhisperTinyEn = "build/assets/towers/whisper-tiny-en";
inline const std::filesystem::path kVitSmall = "build/assets/towers/vit-small-patch14";

/// Whether their wheel was there, so that tests/reference/towers.py made this file. If not, says
/// so.
inline bool has_towers(const std::string& file) {
  if (std::filesystem::exists(kReference / "towers" / file)) return true;
  WARN("SKIP: no " << file << ": its wheel was not there; see tools/fetch_assets.py --towers");
  return false;
}

}  // namespace dualpath::testing
