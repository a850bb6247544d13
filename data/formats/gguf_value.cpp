#include "data/formats/gguf_value.h"

#include "data/base/error.h"

namespace dualpath::data {

std::string describe(const GgufValue& value) {
  return std::visit(
      []<class Stored>(const Stored& stored) {
        if constexpr (std::same_as<Stored, GgufValue::Array>) {
          return fmt::format("an array of {}", stored.size());
        } else if constexpr (std::same_as<Stored, std::string_view>) {
          return fmt::format("\"{}\"", printable(stored));
        } else {
          return fmt::format("{}", stored);
        }
      },
      value.value);
}

}  // namespace dualpath::data
