#pragma once

#include <optional>
#include <string>

#include "quant/scheme.h"

namespace dualpath::quant {

/// Spells every field in the words of files: "4 group 32 true false minmax". Plans' fingerprints
/// are made over this text: another spelling would make every calibration another plan's.
std::string spelled(QuantArgs args, ArgsRole role);

/// Spells the scheme for people: "int4 group 32 asym", "int8 tensor minmax", "int8 token dynamic".
std::string summary(QuantArgs args, ArgsRole role);

/// Finds the first field that does not run: "num_bits: expected 8, got 4". Nothing if all run.
std::optional<std::string> mistake_in(QuantArgs args, ArgsRole role);

}  // namespace dualpath::quant
