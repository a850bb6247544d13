#include "data/tokenizer/pre_tokenizer.h"

#include <string>

#include "data/base/error.h"
#include "data/formats/known_keys.h"

namespace dualpath::data {
namespace {

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Pattern read_pattern(const JsonObject& pattern) {
  refuse_unknown_keys(pattern, {"Regex"});
  try {
    return Pattern(pattern.string("Regex"));
  } catch (const Error& error) {
    throw Error("{}: {}", pattern.where(), error.what());
  }
}

/// The members of a Sequence and of Sequences in it, or the one pre-tokenizer that stands alone.
std::vector<JsonObject> members(const JsonObject& description) {
  if (description.string("type") != "Sequence") return {description};
  refuse_unknown_keys(description, {"type", "pretokenizers"});
  std::vector<JsonObject> all;
  for (const JsonObject& member : description.objects("pretokenizers"))
    for (JsonObject& inner : members(member)) all.push_back(std::move(inner));
  return all;
}

}  // namespace

PreTokenizer::PreTokenizer(const JsonObject& description, std::optional<bool> add_prefix_space) {
  bool ends_in_bytes = false;
  for (const JsonObject& member : members(description)) {
    const std::string type = member.string("type");
    if (ends_in_bytes) {
      throw Error("{}: {} after ByteLevel is not supported", member.where(), type);
    }
    ends_in_bytes = type == "ByteLevel";
    if (type == "Digits") {
      steps_.push_back(digits(member));
    } else if (type == "Split") {
      steps_.push_back(regex_split(member));
    } else if (type == "ByteLevel") {
      steps_.push_back(byte_level(member));
    } else {
      throw Error("{}: expected Digits, Split or ByteLevel, got {}", member.where(), type);
    }
  }
  if (!ends_in_bytes) throw Error("{}: expected ByteLevel at the end", description.where());
  if (add_prefix_space) steps_.back().add_prefix_space = *add_prefix_space;
}

// `tokenizers` takes every Unicode number here (Nd, Nl, No), not the ten digits.
PreTokenizer::Step PreTokenizer::digits(const JsonObject& description) {
  refuse_unknown_keys(description, {"type", "individual_digits"});
  return {.pattern = Pattern(description.boolean("individual_digits") ? "\\p{N}" : "\\p{N}+")};
}

PreTokenizer::Step PreTokenizer::regex_split(const JsonObject& description) {
  refuse_unknown_keys(description, {"type", "pattern", "behavior", "invert"});
  const std::string behavior = description.string("behavior");
  const bool isolated = behavior == "Isolated";
  if (!isolated && behavior != "Removed") {
    throw Error("{}: behavior: expected Isolated or Removed, got {}", description.where(),
                behavior);
  }
  const bool inverted = description.boolean_or("invert", false);
  return {.pattern = read_pattern(description.object("pattern")),
          .keep_matched = isolated || inverted,
          .keep_between = isolated || !inverted};
}

// trim_offsets moves offsets, and we have none.
PreTokenizer::Step PreTokenizer::byte_level(const JsonObject& description) {
  refuse_unknown_keys(description, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  Step step{.add_prefix_space = description.boolean_or("add_prefix_space", false)};
  if (description.boolean_or("use_regex", true)) step.pattern.emplace(kGpt2Pattern);
  return step;
}

void PreTokenizer::split(std::size_t step_index, std::string_view piece, const Sink& sink) const {
  if (step_index == steps_.size()) return sink(piece);
  const Step& step = steps_[step_index];

  std::string prefixed;
  if (step.add_prefix_space && !piece.starts_with(' ')) {
    prefixed.append(" ").append(piece);
    piece = prefixed;
  }
  if (!step.pattern) return split(step_index + 1, piece, sink);
  step.pattern->for_each_stretch(piece, [&](std::string_view stretch, bool matched) {
    if (matched ? step.keep_matched : step.keep_between) split(step_index + 1, stretch, sink);
  });
}

}  // namespace dualpath::data
