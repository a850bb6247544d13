#pragma once

#include <cstdint>
#include <optional>

namespace dualpath {

/// Memory of this process that lies in RAM, mapped files included: now, and the most it ever was.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();
/// Gives freed memory back to the system and starts the peak anew at what is resident then, which
/// it returns; nothing where the kernel cannot start it anew.
std::optional<std::int64_t> restart_peak_resident();

}  // namespace dualpath
