#include "trainer/recipe/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

#include "data/base/error.h"
#include "data/base/nearest.h"

namespace dualpath::trainer {
namespace {

using Kind = RecipeNode::Kind;

/// The most bytes of an item of a list.
constexpr std::size_t kMaxTextBytes = 500;

/// Whether a value is None, Python's word for nothing, which is a text in YAML.
bool is_none(const RecipeNode& node) {
  return node.kind == Kind::kScalar && !node.quoted && node.text == "None";
}

std::string describe(const RecipeNode& node) {
  if (node.kind == Kind::kNull) return "nothing";
  if (node.kind == Kind::kList) return "a list";
  if (node.kind == Kind::kMap) return "keys with values";
  if (is_none(node)) return "None (in YAML: null)";
  const std::string_view quote = node.quoted ? "\"" : "";
  return fmt::format("{}{}{}", quote, printable(node.text), quote);
}

template <class T>
std::string describe(Range<T> range) {
  const std::string_view noun = std::is_integral_v<T> ? "an integer" : "a number";
  if (range.low == std::numeric_limits<T>::denorm_min() && !std::is_integral_v<T>) {
    return fmt::format("{} above 0", noun);
  }
  if (range.high == std::numeric_limits<T>::max()) {
    return fmt::format("{} of at least {}", noun, range.low);
  }
  return fmt::format("{} from {} to {}", noun, range.low, range.high);
}

/// Joins choices for a message: "a", "a or b", "a, b or c".
template <class Texts>
std::string alternatives(const Texts& texts) {
  std::string line;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) line += i + 1 == texts.size() ? " or " : ", ";
    line += texts[i];
  }
  return line;
}

/// Whether some readers of YAML, and C, would take a number for octal: 010 is eight to them.
bool is_octal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

template <class T>
std::optional<T> parse_number(const RecipeNode& node) {
  if (node.kind != Kind::kScalar || node.quoted || is_octal(node.text)) return std::nullopt;
  const char* const end = node.text.data() + node.text.size();
  T value{};
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

bool is_text(const RecipeNode& node) { return node.kind == Kind::kScalar && !node.text.empty(); }

/// Whether a shell would have expanded the path, which we do not do.
bool is_for_a_shell(std::string_view path) {
  return path.starts_with('~') || path.starts_with('$');
}

/// The meaning of a word: YAML and Python write true and false with capitals, too. A list or map
/// has no word but "{}" and "[]".
std::string_view word_of(const RecipeNode& node) {
  if (node.kind == Kind::kMap || node.kind == Kind::kList) {
    if (!node.children.empty()) return "";
    return node.kind == Kind::kMap ? "{}" : "[]";
  }
  if (node.quoted) return node.text;
  if (node.text == "True" || node.text == "TRUE") return "true";
  if (node.text == "False" || node.text == "FALSE") return "false";
  return node.text;
}

}  // namespace

void RecipeReader::read(const std::function<void()>& visit) {
  if (root_.kind != Kind::kMap && root_.kind != Kind::kNull) {
    errors_.add(root_.place, "", "expected keys with values, got " + describe(root_));
    return;
  }
  walk("", {1, 1}, root_.kind == Kind::kMap ? &root_ : nullptr, visit);
}

void RecipeReader::integer(std::string_view key, std::int64_t& value, Range<std::int64_t> range) {
  read_number(key, value, range);
}

void RecipeReader::number(std::string_view key, double& value, Range<double> range) {
  read_number(key, value, range);
}

template <class T>
void RecipeReader::read_number(std::string_view key, T& value, Range<T> range) {
  const RecipeNode* node = find(key);
  if (node == nullptr) return;
  const std::optional<T> number = parse_number<T>(*node);
  if (!number || !(range.low <= *number && *number <= range.high)) {  // nan is in no range
    return refuse(*node, key, describe(range));
  }
  value = *number;
}

void RecipeReader::boolean(std::string_view key, bool& value) {
  const RecipeNode* node = find(key);
  if (node == nullptr) return;
  const std::string_view word = node->quoted ? "" : word_of(*node);
  if (word != "true" && word != "false") return refuse(*node, key, "true or false");
  value = word == "true";
}

void RecipeReader::path(std::string_view key, std::filesystem::path& value, Presence presence) {
  const RecipeNode* node = find(key);
  if (node != nullptr && is_text(*node) && is_for_a_shell(node->text)) {
    refuse(*node, key, "a path without ~ and $, which are not expanded (./~ is a name)");
  } else if (node != nullptr && is_text(*node) && !is_none(*node)) {
    value = node->text;
  } else if (node != nullptr) {
    refuse(*node, key, "a path");
  } else if (presence == Presence::kRequired) {
    errors_.add(sections_.back().place, path_to(key), "expected a path, got nothing");
  }
}

void RecipeReader::text(std::string_view key, std::string& value, const TextCheck& check) {
  const RecipeNode* node = find(key);
  if (node == nullptr) return;
  if (!is_text(*node)) {
    refuse(*node, key, "a word");
  } else if (const std::optional<std::string> mistake = check(node->text)) {
    errors_.add(node->place, path_to(key), *mistake);
  } else {
    value = node->text;
  }
}

void RecipeReader::texts(std::string_view key, std::vector<std::string>& value,
                         const TextCheck& check) {
  const RecipeNode* node = find(key);
  if (node == nullptr) return;
  if (node->kind != Kind::kList) return refuse(*node, key, "a list, as [a, b]");
  value.clear();
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const RecipeNode& item = node->children[i];
    const std::string item_key = fmt::format("{}[{}]", key, i);
    if (!is_text(item) || item.text.size() > kMaxTextBytes) {
      refuse(item, item_key, fmt::format("a text of at most {} bytes", kMaxTextBytes));
    } else if (const std::optional<std::string> mistake = check(item.text)) {
      errors_.add(item.place, path_to(item_key), *mistake);
    } else {
      value.push_back(item.text);
    }
  }
}

std::size_t RecipeReader::choose(std::string_view key, std::span<const std::string_view> names,
                                 std::size_t current) {
  const RecipeNode* node = find(key);
  if (node == nullptr) return current;
  const auto found = std::ranges::find(names, word_of(*node));
  if (node->kind == Kind::kScalar && found != names.end()) {
    return static_cast<std::size_t>(found - names.begin());
  }
  refuse(*node, key, alternatives(names));
  return current;
}

bool RecipeReader::null(std::string_view key, bool is_null) {
  Section& open = sections_.back();
  const RecipeNode* node = open.node == nullptr ? nullptr : open.node->find(key);
  if (node == nullptr) return is_null;
  open.known_keys.emplace_back(key);
  return node->kind == Kind::kNull;
}

void RecipeReader::stated(std::string_view key, std::vector<std::string_view> values,
                          std::string_view expected) {
  const RecipeNode* node = find(key);
  if (node == nullptr || std::ranges::find(values, word_of(*node)) != values.end()) return;
  refuse(*node, key, expected);
}

void RecipeReader::not_null(std::string_view key, std::string_view expected) {
  const Section& open = sections_.back();
  const RecipeNode* node = open.node == nullptr ? nullptr : open.node->find(key);
  if (node != nullptr && node->kind == Kind::kNull) refuse(*node, key, expected);
}

void RecipeReader::section(std::string_view key, const std::function<void()>& visit) {
  const RecipeNode* node = find(key);
  if (node != nullptr && node->kind != Kind::kMap) return refuse(*node, key, "keys with values");
  walk(path_to(key), node == nullptr ? sections_.back().place : node->place, node, visit);
}

void RecipeReader::walk(std::string path, Place place, const RecipeNode* node,
                        const std::function<void()>& visit) {
  sections_.push_back({std::move(path), place, node, errors_.count()});
  visit();
  refuse_unknown_keys(sections_.back());
  sections_.pop_back();
}

std::optional<std::vector<std::string>> RecipeReader::given_keys() {
  Section& open = sections_.back();
  if (open.node == nullptr) return std::nullopt;
  for (const RecipeNode& child : open.node->children) {
    const bool first_of_its_name = open.node->find(child.key) == &child;
    if (first_of_its_name) open.known_keys.push_back(child.key);
  }
  return open.known_keys;
}

void RecipeReader::check(bool ok, std::string_view expected, std::string_view got) {
  const Section& open = sections_.back();
  if (ok || errors_.count() > open.errors_before) return;
  errors_.add(open.place, open.path, fmt::format("expected {}, got {}", expected, got));
}

void RecipeReader::refuse_unknown_keys(const Section& section) {
  if (section.node == nullptr) return;
  for (const RecipeNode& child : section.node->children) {
    if (std::ranges::find(section.known_keys, child.key) != section.known_keys.end()) continue;
    errors_.add(child.key_place, path_to(child.key),
                fmt::format("unknown key, the nearest known one is {}",
                            nearest(child.key, section.known_keys)));
  }
}

const RecipeNode* RecipeReader::find(std::string_view key) {
  Section& open = sections_.back();
  open.known_keys.emplace_back(key);
  const RecipeNode* node = open.node == nullptr ? nullptr : open.node->find(key);
  return node == nullptr || node->kind == Kind::kNull ? nullptr : node;
}

void RecipeReader::refuse(const RecipeNode& node, std::string_view key, std::string_view expected) {
  errors_.add(node.place, path_to(key),
              fmt::format("expected {}, got {}", expected, describe(node)));
}

std::string RecipeReader::path_to(std::string_view key) const {
  const std::string& parent = sections_.back().path;
  return parent.empty() ? printable(key) : fmt::format("{}.{}", parent, printable(key));
}

}  // namespace dualpath::trainer
