#pragma once

#include <cstdint>
#include <optional>

namespace dualpath {

/// Memory of this process that lies in RAM, mapped files included: now, and the most it ever was.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();
/// Starts the peak anew at what is resident now, which it returns; nothing where the kernel cannot.
std::optional<std::int64_t> restart_peak_resident();
/// Freed memory stays with the process from here on and is used again: a training step frees what
/// the next one asks for, and asking the system anew costs as much as a tenth of it.
void keep_freed_memory();
/// Gives freed memory back to the system, so that what is resident is in use.
void release_freed_memory();

}  // namespace dualpath
