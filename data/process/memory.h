#pragma once

#include <cstdint>
#include <optional>

namespace dualpath {

/// Memory of this process in RAM, mapped files included: now, and the most it ever was.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();
/// Memory that the machine could still give: free, or held by caches that it would drop. Less where
/// a control group (version 2) allows less.
std::int64_t available_bytes();
/// Starts the peak anew at the memory that is resident now, and returns that. Nothing where the
/// kernel cannot do it.
std::optional<std::int64_t> restart_peak_resident();
/// Keeps freed memory with the process from here on, to be used again. A training step frees the
/// memory that the next one asks for, and asking the system anew costs as much as a tenth of a
/// step.
void keep_freed_memory();
/// Gives freed memory back to the system, so that all resident memory is in use.
void release_freed_memory();

}  // namespace dualpath
