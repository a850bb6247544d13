#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data {

/// Parses JSON text; source names it in errors. Besides broken JSON ("source:line:col: …") it
/// refuses keys given twice and nesting deeper than 64.
nlohmann::json parse_json(std::string_view text, std::string_view source);
/// The largest JSON file: configurations, indices and reports are far smaller.
inline constexpr std::uint64_t kMaxJsonBytes = 64 << 20;
nlohmann::json read_json(const std::filesystem::path& path);

/// Inclusive bounds of a number; described in errors ("a positive integer").
struct IntegerRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};
inline constexpr IntegerRange kPositive{.low = 1};
inline constexpr IntegerRange kNonNegative{.low = 0};

struct NumberRange {
  double low = std::numeric_limits<double>::lowest();
  double high = std::numeric_limits<double>::max();
};
inline constexpr NumberRange kPositiveNumber{.low = std::numeric_limits<double>::denorm_min()};

/// A JSON object read key by key, with errors that give the whole way to the key:
///   JsonObject config = JsonObject::read("config.json");
///   config.integer("num_attention_heads", kPositive);
///   -> config.json: num_attention_heads: expected a positive integer, got "abc"
/// null counts as absent. `x(key)` wants the key; `x_or(key, fallback)` does without. Copies are
/// cheap.
class JsonObject {
 public:
  static JsonObject read(const std::filesystem::path& path);
  static JsonObject parse(std::string_view text, std::string_view source);
  /// One line of JSON Lines, or an element of a list that begins there; origin is "file:line"
  /// already.
  static JsonObject parse_line(std::string_view line, std::string_view origin);

  bool contains(std::string_view key) const { return find(key) != nullptr; }
  std::vector<std::string> keys() const;

  std::int64_t integer(std::string_view key, IntegerRange range = {}) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback,
                          IntegerRange range = {}) const;
  double number(std::string_view key, NumberRange range = {}) const;
  double number_or(std::string_view key, double fallback, NumberRange range = {}) const;
  bool boolean(std::string_view key) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::string string(std::string_view key) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;
  JsonObject object(std::string_view key) const;
  std::optional<JsonObject> object_if(std::string_view key) const;

  std::vector<std::int64_t> integers(std::string_view key, IntegerRange range = {}) const;
  std::vector<double> numbers(std::string_view key, NumberRange range = {}) const;
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<JsonObject> objects(std::string_view key) const;

  /// The place of this object, "config.json: rope_scaling", for a caller's own errors.
  std::string where() const;
  /// The value itself, for uses that the functions above do not cover.
  const nlohmann::json& raw() const { return *value_; }

 private:
  JsonObject(std::shared_ptr<const nlohmann::json> value, std::string source, std::string place);
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& require(std::string_view key, std::string_view expected) const;
  template <class T, class Fits>
  std::vector<T> array(std::string_view key, std::string_view element, Fits fits) const;
  std::string place(std::string_view key) const;
  std::string where(std::string_view key) const;

  std::shared_ptr<const nlohmann::json>
      value_;                   // an object; shares ownership of the whole document
  std::string source_, place_;  // "config.json", "rope_scaling"
};

}  // namespace dualpath::data
