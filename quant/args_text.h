#pragma once

#include <optional>
#include <string>

#include "quant/scheme.h"

namespace dualpath::quant {

/// Every field in the words of files: "4 group 32 true false minmax". Plans' fingerprints are made
/// over it, so another spelling makes every calibration another plan's.
std::string spelled(QuantArgs args, ArgsRole role);

/// For people: "int4 group 32 asym", "int8 tensor minmax", "int8 token dynamic".
std::string summary(QuantArgs args, ArgsRole role);

/// The first thing that does not run: "num_bits: expected 8, got 4". Nothing if all of it does.
std::optional<std::string> mistake_in(QuantArgs args, ArgsRole role);

}  // namespace dualpath::quant
