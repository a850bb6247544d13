#include "trainer/recipe/byte_size.h"

#include <charconv>
#include <limits>

#include "data/base/named.h"

namespace dualpath::trainer {
namespace {

constexpr Named<double> kUnits[] = {
    {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
    {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};

}  // namespace

std::optional<std::int64_t> byte_size(std::string_view text) {
  double number = 0.0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, bytes] : kUnits) {
    if (unit != name) continue;
    const double size = number * bytes;
    constexpr auto kMost = static_cast<double>(std::numeric_limits<std::int64_t>::max() / 2);
    if (size >= 1.0 && size <= kMost) return static_cast<std::int64_t>(size);
  }
  return std::nullopt;
}

}  // namespace dualpath::trainer
