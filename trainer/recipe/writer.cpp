#include "trainer/recipe/writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace dualpath::trainer {
namespace {

/// Quotes a text as JSON, which YAML reads: no word of the user's can turn into a number, a null or
/// a comment.
std::string in_quotes(std::string_view text) { return nlohmann::json(text).dump(); }

bool is_plain(std::string_view key) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyz0123456789_";
  return !key.empty() && key != "null" && key.find_first_not_of(kPlain) == key.npos;
}

}  // namespace

void RecipeWriter::integer(std::string_view key, std::int64_t& value, Range<std::int64_t>) {
  line(key, fmt::to_string(value));
}

void RecipeWriter::number(std::string_view key, double& value, Range<double>) {
  line(key, fmt::to_string(value));  // the shortest digits that read back to the same bits
}

void RecipeWriter::boolean(std::string_view key, bool& value) { line(key, fmt::to_string(value)); }

void RecipeWriter::path(std::string_view key, std::filesystem::path& value, Presence) {
  line(key, value.empty() ? "null" : in_quotes(value.string()));
}

void RecipeWriter::text(std::string_view key, std::string& value, const TextCheck&) {
  line(key, in_quotes(value));
}

void RecipeWriter::texts(std::string_view key, std::vector<std::string>& value, const TextCheck&) {
  std::vector<std::string> items;
  for (const std::string& text : value) items.push_back(in_quotes(text));
  line(key, fmt::format("[{}]", fmt::join(items, ", ")));
}

bool RecipeWriter::null(std::string_view key, bool is_null) {
  if (is_null) line(key, "null");
  return is_null;
}

std::size_t RecipeWriter::choose(std::string_view key, std::span<const std::string_view> names,
                                 std::size_t current) {
  if (current == names.size()) throw std::logic_error(fmt::format("no recipe can say {}", key));
  line(key, names[current]);
  return current;
}

void RecipeWriter::section(std::string_view key, const std::function<void()>& visit) {
  line(key, "");
  ++depth_;
  visit();
  --depth_;
}

void RecipeWriter::line(std::string_view key, std::string_view value) {
  fmt::format_to(std::back_inserter(yaml_), "{:{}}{}:{}{}\n", "", 2 * depth_,
                 is_plain(key) ? std::string(key) : in_quotes(key), value.empty() ? "" : " ",
                 value);
}

}  // namespace dualpath::trainer
