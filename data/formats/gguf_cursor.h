#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath::data {

/// Reads a GGUF file field by field, and never past its end: a field that does not fit is an Error.
/// `what` names the field in the Error.
class GgufCursor {
 public:
  explicit GgufCursor(const MappedFile& file) : file_(file) {}

  std::size_t position() const { return position_; }

  template <class T>
  T number(std::string_view what) {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  /// Reads a length (uint64) and as many bytes.
  std::string_view string(std::string_view what) {
    const std::span<const std::byte> bytes = take(number<std::uint64_t>(what), what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// Reads the number (uint64) of elements that follow, of `least` bytes or more each. They have
  /// room in the file, so it is safe to reserve memory for them.
  std::size_t count(std::size_t least, std::string_view what) {
    const auto n = number<std::uint64_t>(what);
    if (n > left() / least) refuse(what, "does not fit into the file");
    return n;
  }

  /// Reads the number of elements of an array, each of which takes `each` bytes of memory. All
  /// arrays of a file together may take as much memory as the file has bytes, or kFreeBytes.
  std::size_t array_count(std::size_t least, std::size_t each, std::string_view what) {
    const std::size_t n = count(least, what), limit = std::max(file_.bytes().size(), kFreeBytes);
    if (n > (limit - array_bytes_) / each) {
      refuse(what,
             fmt::format("expected arrays of at most {} bytes in memory, all together", limit));
    }
    array_bytes_ += n * each;
    return n;
  }

  /// Throws "<path>: byte <position>: <what>: <problem>".
  [[noreturn]] void refuse(std::string_view what, std::string_view problem) const {
    throw Error("{}: byte {}: {}: {}", file_.path().string(), position_, printable(what), problem);
  }

 private:
  std::size_t left() const { return file_.bytes().size() - position_; }

  std::span<const std::byte> take(std::uint64_t size, std::string_view what) {
    if (size > left()) refuse(what, "does not fit into the file");
    const std::span<const std::byte> bytes = file_.bytes().subspan(position_, size);
    position_ += size;
    return bytes;
  }

  static constexpr std::size_t kFreeBytes = 256 << 20;  // enough for a file with only a vocabulary

  const MappedFile& file_;
  std::size_t position_ = 0, array_bytes_ = 0;
};

}  // namespace dualpath::data
