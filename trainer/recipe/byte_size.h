#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dualpath::trainer {

/// The bytes that a text names: "8000000000", "8GB", "7.5 GiB"; units from B and kB to TB are
/// decimal, those from KiB to TiB binary. Nothing if it names none, or less than one.
std::optional<std::int64_t> byte_size(std::string_view text);

}  // namespace dualpath::trainer
