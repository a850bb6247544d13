#include "trainer/recipe/node.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "data/base/error.h"
#include "data/base/utf8.h"

namespace dualpath::trainer {
namespace {

using Kind = RecipeNode::Kind;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxPieces = 10'000;

std::string join(std::string_view parent, std::string_view key) {
  return parent.empty() ? printable(key) : fmt::format("{}.{}", parent, printable(key));
}

/// The source of a piece of YAML: the file, or the value of an override of `key`.
struct Source {
  bool is_file = true;
  std::string key;

  Place place(int line, int column) const { return is_file ? Place{line, column} : Place{}; }
  Place place(const YAML::Mark& mark) const { return place(mark.line + 1, mark.column + 1); }
};

/// Builds the tree from yaml-cpp's events. Events carry keys and their places, duplicates included,
/// which YAML::Node drops. They also come early enough to stop before a hostile file is expanded.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view yaml, const Source& source, RecipeErrors& errors)
      : yaml_(yaml), source_(source), errors_(errors) {}

  RecipeNode root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw YAML::ParserException(mark, "expected a single document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) refuse_key(mark);
    count(mark);
    const bool has_key =
        !open_.empty() && open_.back().key;  // without a key the place would be the next value's
    add({.kind = Kind::kNull,
         .place = has_key ? open_.back().key_place : source_.place(mark),
         .text = null_at(mark.pos)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases are not supported, write the value itself");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    refuse_tag(mark, tag);
    count(mark);
    if (wants_key()) return take_key(mark, value);
    add({.kind = Kind::kScalar, .place = source_.place(mark), .text = value, .quoted = tag == "!"});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    start(Kind::kList, mark, tag);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    start(Kind::kMap, mark, tag);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {  // a list or map whose end has not come
    RecipeNode node;
    std::optional<std::string> key{};  // a key whose value has not come
    Place key_place{};
  };

  void count(const YAML::Mark& mark) {
    if (++pieces_ <= kMaxPieces) return;
    throw YAML::ParserException(mark, fmt::format("more than {} keys and values", kMaxPieces));
  }

  /// Reads the word for null at a position; empty if the value is only left out.
  std::string null_at(int position) const {
    const std::string_view rest =
        yaml_.substr(std::min(static_cast<std::size_t>(position), yaml_.size()));
    for (const char* word : {"~", "null", "Null", "NULL"}) {
      if (rest.starts_with(word)) return word;
    }
    return "";
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().node.kind == Kind::kMap && !open_.back().key;
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    Open& map = open_.back();
    map.key_place = source_.place(mark);
    if (const RecipeNode* first = map.node.find(key)) {
      errors_.add(map.key_place, join(path(), key),
                  first->key_place.line == 0
                      ? "given twice"
                      : fmt::format("given twice, first in line {}", first->key_place.line));
    }
    map.key = key;
  }

  void start(Kind kind, const YAML::Mark& mark, const std::string& tag) {
    refuse_tag(mark, tag);
    count(mark);
    if (wants_key()) refuse_key(mark);
    if (open_.size() == kMaxDepth) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {}", kMaxDepth));
    }
    open_.push_back({.node = {.kind = kind, .place = source_.place(mark)}});
  }

  void end() {
    RecipeNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(RecipeNode node) {
    if (open_.empty()) {
      root = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.key) node.key = *std::exchange(parent.key, std::nullopt);
    node.key_place = parent.key_place;
    parent.node.children.push_back(std::move(node));
  }

  std::string path() const {
    std::string path = source_.key;
    for (const Open& open : open_) {
      if (open.key) path = join(path, *open.key);
    }
    return path;
  }

  /// Refuses a key that is no word: yaml-cpp takes even the text behind a bracket that is never
  /// closed for a key.
  [[noreturn]] static void refuse_key(const YAML::Mark& mark) {
    throw YAML::ParserException(mark, "expected a word as key; is a bracket not closed?");
  }

  /// Refuses tags, but for "?" and "!", yaml-cpp's words for plain and quoted without a tag.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag != "?" && tag != "!") throw YAML::ParserException(mark, "tags are not supported");
  }

  std::string_view yaml_;
  const Source& source_;
  RecipeErrors& errors_;
  int documents_ = 0;
  std::size_t pieces_ = 0;
  std::vector<Open> open_;
};

/// Checks the bytes: yaml-cpp would end the document at byte 4, guess at UTF-16 and let broken
/// UTF-8 pass.
bool is_clean(std::string_view yaml, const Source& source, RecipeErrors& errors) {
  const auto control = std::ranges::find_if(
      yaml, [](unsigned char c) { return c < ' ' && c != '\t' && c != '\n' && c != '\r'; });
  const auto bad =
      std::min(static_cast<std::size_t>(control - yaml.begin()), data::find_invalid_utf8(yaml));
  if (bad >= yaml.size()) return true;
  const std::string_view before = yaml.substr(0, bad);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t column = bad - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  errors.add(source.place(static_cast<int>(line), static_cast<int>(column)), source.key,
             "expected UTF-8 text without control characters");
  return false;
}

std::optional<RecipeNode> parse(std::string_view yaml, const Source& source, RecipeErrors& errors) {
  if (!is_clean(yaml, source, errors)) return std::nullopt;
  // Cuts trailing space: past a last line break yaml-cpp forgives a quote that is never closed.
  yaml = yaml.substr(0, yaml.find_last_not_of(" \t\r\n") + 1);
  TreeBuilder builder(yaml, source, errors);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    errors.add(source.place(error.mark), source.key, "YAML: " + printable(error.msg));
    return std::nullopt;
  }
  return std::move(builder.root);
}

/// Splits "a.b.c" into its parts; empty if a part is empty or there are too many.
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(path) + '.'};
  for (std::string part; std::getline(stream, part, '.');) {
    if (part.empty() || parts.size() == kMaxDepth) return {};
    parts.push_back(part);
  }
  return parts;
}

/// Returns the map's child under `key`, added if there is none. A node that is no map becomes one.
/// A map made here has its parent's place, for errors about keys it lacks.
RecipeNode& child(RecipeNode& map, const std::string& key) {
  if (map.kind != Kind::kMap) {
    map.kind = Kind::kMap;
    map.children.clear();
  }
  if (RecipeNode* found = map.find(key)) return *found;
  return map.children.emplace_back(RecipeNode{.place = map.place, .key = key});
}

/// Whether a node leaves a value out, like "{a: , b: 1}".
bool lacks_value(const RecipeNode& node) {
  const bool is_empty = node.kind == Kind::kNull && node.text.empty();
  return is_empty || std::ranges::any_of(node.children, lacks_value);
}

/// Whether a plain word was cut at " #", where a comment begins in YAML.
bool is_cut(const RecipeNode& node, std::string_view yaml) {
  return node.kind == Kind::kScalar && !node.quoted && yaml.find(" #") != yaml.npos;
}

}  // namespace

const RecipeNode* RecipeNode::find(std::string_view child_key) const {
  const auto found = std::ranges::find(children, child_key, &RecipeNode::key);
  return found == children.end() ? nullptr : &*found;
}

RecipeNode* RecipeNode::find(std::string_view child_key) {
  return const_cast<RecipeNode*>(std::as_const(*this).find(child_key));
}

std::optional<RecipeNode> parse_recipe(std::string_view yaml, RecipeErrors& errors) {
  return parse(yaml, Source{}, errors);
}

void apply_override(RecipeNode& root, std::string_view assignment, RecipeErrors& errors) {
  const std::string_view path = assignment.substr(0, assignment.find('='));
  const std::vector<std::string> parts = split_path(path);
  if (path.size() == assignment.size() || parts.empty()) {
    return errors.add({}, printable(assignment), "expected section.key=value");
  }
  const Source source{.is_file = false, .key = printable(path)};
  const std::string_view yaml = assignment.substr(path.size() + 1);
  std::optional<RecipeNode> value = parse(yaml, source, errors);
  if (!value) return;
  if (lacks_value(*value)) {
    return errors.add({}, printable(assignment),
                      "expected section.key=value, got no value; null is the default");
  }
  if (is_cut(*value, yaml)) {
    return errors.add({}, printable(assignment), "expected quotes around a value with #");
  }
  RecipeNode* node = &root;
  for (const std::string& part : parts) node = &child(*node, part);
  value->key = parts.back();
  *node = std::move(*value);
}

}  // namespace dualpath::trainer
