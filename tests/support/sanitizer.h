#pragma once

namespace dualpath::testing {

/// Whether the address sanitizer's allocator stands in for the system's; GCC and clang say it in
/// different ways.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace dualpath::testing
