#pragma once

#include <cstdint>

namespace dualpath {

/// Memory of this process that lies in RAM, mapped files included: now, and the most it ever was.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();
/// What the allocator has handed out and not got back: exact, unlike resident memory.
std::int64_t allocated_bytes();

}  // namespace dualpath
