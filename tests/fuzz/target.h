#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "data/base/error.h"

namespace dualpath::fuzz {

/// Runs a reader on one input. An Error is a reader's right answer to a bad file. Any other
/// exception, std::bad_alloc included, ends the fuzzer as a finding. Returns libFuzzer's 0.
template <class Read>
int judge(const std::uint8_t* data, std::size_t size, Read read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}

/// Touches every byte, so that the sanitizer sees a view that leaves its file.
inline void touch(std::span<const std::byte> bytes) {
  volatile std::byte last{};
  for (const std::byte b : bytes) last = b;
}

}  // namespace dualpath::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
