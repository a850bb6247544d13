#include "data/formats/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "data/base/error.h"
#include "data/files/file.h"
#include "data/formats/stand_in.h"

namespace dualpath::data {
namespace {

using Json = nlohmann::json;
using Value = std::shared_ptr<const Json>;

constexpr int kMaxDepth = 64;

/// Sees each key before nlohmann, which would silently keep the last of two.
class Watch {
 public:
  explicit Watch(std::string_view source) : source_(source) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if ((event == Event::object_start || event == Event::array_start) && depth >= kMaxDepth) {
      throw Error("{}: expected JSON nested at most {} deep", source_, kMaxDepth);
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
      throw Error("{}: key {} is given twice", source_,
                  printable(parsed.get_ref<const std::string&>()));
    }
    return true;
  }

 private:
  std::string_view source_;
  std::vector<std::unordered_set<std::string>> keys_;  // one set for each open object
};

/// "source:line:col" of the byte where parsing stopped (counted from 1).
std::string position(std::string_view text, std::string_view source, std::size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("{}:{}:{}", source, lines + 1, before.size() - line_start + 1);
}

/// The place of a byte of a text that begins at `origin`, "file:line".
std::string position_behind(std::string_view origin, std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const std::size_t column = before.size() - line_start + 1;
  if (line_start == 0) return fmt::format("{}:{}", origin, column);
  const std::size_t colon = origin.rfind(':');
  const auto lines = std::count(before.begin(), before.end(), '\n');
  return fmt::format("{}:{}:{}", origin.substr(0, colon),
                     std::stol(std::string(origin.substr(colon + 1))) + lines, column);
}

/// The message of nlohmann without its preamble and without the text it quotes, which may be
/// anything.
std::string_view reason(std::string_view message) {
  for (const std::string_view preamble : {"] ", "- "}) {
    const std::size_t found = message.find(preamble);
    if (found != message.npos) message.remove_prefix(found + preamble.size());
  }
  return message.substr(0, message.find("; last read"));
}

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  const std::string text =
      value.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

std::string describe(IntegerRange range) {
  if (range.low == kPositive.low && range.high == kPositive.high) return "a positive integer";
  if (range.low == kNonNegative.low && range.high == kNonNegative.high)
    return "a non-negative integer";
  const IntegerRange all;
  if (range.low == all.low && range.high == all.high) return "an integer";
  if (range.high == all.high) return fmt::format("an integer of at least {}", range.low);
  return fmt::format("an integer in [{}, {}]", range.low, range.high);
}

std::string describe(NumberRange range) {
  const NumberRange all;
  if (range.low == kPositiveNumber.low && range.high == all.high) return "a positive number";
  if (range.low == all.low && range.high == all.high) return "a number";
  if (range.high == all.high) return fmt::format("a number of at least {}", range.low);
  return fmt::format("a number in [{}, {}]", range.low, range.high);
}

bool fits_integer(const Json& value, IntegerRange range) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && !std::in_range<std::int64_t>(value.get<std::uint64_t>()))
    return false;
  const auto number = value.get<std::int64_t>();
  return range.low <= number && number <= range.high;
}

bool fits_number(const Json& value, NumberRange range) {
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  return range.low <= number && number <= range.high;
}

[[noreturn]] void refuse(std::string_view where, std::string_view expected, const Json& got) {
  throw Error("{}: expected {}, got {}", where, expected, describe(got));
}

/// Refuses text that nlohmann passes over although it is no JSON: a byte order mark, and all behind
/// a NUL byte. position: gives the place of a byte, for errors.
template <class Position>
void check_ends(std::string_view text, const Position& position) {
  if (text.starts_with("\uFEFF")) {
    throw Error("{}: not valid JSON: expected no byte order mark before it", position(1));
  }
  const std::size_t nul = text.find('\0');
  if (nul != text.npos) throw Error("{}: not valid JSON: a NUL byte", position(nul + 1));
}

template <class Position>
Json parse(std::string_view text, std::string_view source, const Position& position) {
  try {
    if (const auto found = stand_in(text)) throw Error("{}: {}", source, *found);
    check_ends(text, position);
    return Json::parse(text.begin(), text.end(), Watch(source));
  } catch (const Json::parse_error& error) {
    throw Error("{}: not valid JSON: {}", position(error.byte), reason(error.what()));
  } catch (const Json::exception& error) {
    throw Error("{}: not valid JSON: {}", source, reason(error.what()));
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view source) {
  return parse(text, source, [&](std::size_t byte) { return position(text, source, byte); });
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path, kMaxJsonBytes), path.string());
}

JsonObject::JsonObject(Value value, std::string source, std::string place)
    : value_(std::move(value)), source_(std::move(source)), place_(std::move(place)) {
  if (!value_->is_object()) refuse(where(), "an object", *value_);
}

JsonObject JsonObject::read(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxJsonBytes), path.string());
}

JsonObject JsonObject::parse_line(std::string_view line, std::string_view origin) {
  if (line.starts_with("\uFEFF"))
    line.remove_prefix(3);  // a byte order mark, which begins many a text and is none of it
  const auto place = [&](std::size_t byte) { return position_behind(origin, line, byte); };
  return {std::make_shared<const Json>(data::parse(line, origin, place)), std::string(origin), ""};
}

JsonObject JsonObject::parse(std::string_view text, std::string_view source) {
  return {std::make_shared<const Json>(parse_json(text, source)), std::string(source), ""};
}

std::string JsonObject::where() const { return place_.empty() ? source_ : source_ + ": " + place_; }

std::string JsonObject::place(std::string_view key) const {
  return place_.empty() ? printable(key) : fmt::format("{}.{}", place_, printable(key));
}

std::string JsonObject::where(std::string_view key) const { return source_ + ": " + place(key); }

const Json* JsonObject::find(std::string_view key) const {
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonObject::require(std::string_view key, std::string_view expected) const {
  const Json* value = find(key);
  if (value == nullptr)
    throw Error("{}: expected {}, but the key is missing", where(key), expected);
  return *value;
}

/// The elements of an array, each of which must pass fits.
template <class T, class Fits>
std::vector<T> JsonObject::array(std::string_view key, std::string_view element, Fits fits) const {
  const Json& values = require(key, "an array");
  if (!values.is_array()) refuse(where(key), "an array", values);
  std::vector<T> result;
  result.reserve(values.size());
  for (const Json& value : values) {
    if (!fits(value)) refuse(fmt::format("{}[{}]", where(key), result.size()), element, value);
    result.push_back(value.get<T>());
  }
  return result;
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : value_->items()) keys.push_back(key);
  return keys;
}

std::int64_t JsonObject::integer(std::string_view key, IntegerRange range) const {
  const Json& value = require(key, describe(range));
  if (!fits_integer(value, range)) refuse(where(key), describe(range), value);
  return value.get<std::int64_t>();
}

double JsonObject::number(std::string_view key, NumberRange range) const {
  const Json& value = require(key, describe(range));
  if (!fits_number(value, range)) refuse(where(key), describe(range), value);
  return value.get<double>();
}

bool JsonObject::boolean(std::string_view key) const {
  const Json& value = require(key, "true or false");
  if (!value.is_boolean()) refuse(where(key), "true or false", value);
  return value.get<bool>();
}

std::string JsonObject::string(std::string_view key) const {
  const Json& value = require(key, "a string");
  if (!value.is_string()) refuse(where(key), "a string", value);
  return value.get<std::string>();
}

JsonObject JsonObject::object(std::string_view key) const {
  const Json& value = require(key, "an object");
  return {Value(value_, &value), source_, place(key)};
}

std::int64_t JsonObject::integer_or(std::string_view key, std::int64_t fallback,
                                    IntegerRange range) const {
  return contains(key) ? integer(key, range) : fallback;
}

double JsonObject::number_or(std::string_view key, double fallback, NumberRange range) const {
  return contains(key) ? number(key, range) : fallback;
}

bool JsonObject::boolean_or(std::string_view key, bool fallback) const {
  return contains(key) ? boolean(key) : fallback;
}

std::string JsonObject::string_or(std::string_view key, std::string_view fallback) const {
  return contains(key) ? string(key) : std::string(fallback);
}

std::optional<JsonObject> JsonObject::object_if(std::string_view key) const {
  return contains(key) ? std::optional(object(key)) : std::nullopt;
}

std::vector<std::int64_t> JsonObject::integers(std::string_view key, IntegerRange range) const {
  return array<std::int64_t>(key, describe(range),
                             [&](const Json& value) { return fits_integer(value, range); });
}

std::vector<double> JsonObject::numbers(std::string_view key, NumberRange range) const {
  return array<double>(key, describe(range),
                       [&](const Json& value) { return fits_number(value, range); });
}

std::vector<std::string> JsonObject::strings(std::string_view key) const {
  return array<std::string>(key, "a string", [](const Json& value) { return value.is_string(); });
}

std::vector<JsonObject> JsonObject::objects(std::string_view key) const {
  const Json& values = require(key, "an array");
  if (!values.is_array()) refuse(where(key), "an array", values);
  std::vector<JsonObject> result;
  for (const Json& value : values) {
    result.push_back(
        {Value(value_, &value), source_, fmt::format("{}[{}]", place(key), result.size())});
  }
  return result;
}

}  // namespace dualpath::data
