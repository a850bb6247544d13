#include "data/tokenizer/added_tokens.h"

#include <algorithm>
#include <functional>

#include "data/base/error.h"
#include "data/formats/known_keys.h"

namespace dualpath::data {
namespace {

/// Unicode's White_Space property, which lstrip and rstrip follow.
constexpr std::array<std::string_view, 25> kStripped{
    "\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085", "\u00A0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

/// Counts the bytes of white space that a text starts with.
std::size_t space_at_start(std::string_view text) {
  const std::size_t size = text.size();
  const auto starts = [&](std::string_view space) { return text.starts_with(space); };
  while (true) {
    const auto space = std::ranges::find_if(kStripped, starts);
    if (space == kStripped.end()) return size - text.size();
    text.remove_prefix(space->size());
  }
}

std::size_t space_at_end(std::string_view text) {
  const std::size_t size = text.size();
  const auto ends = [&](std::string_view space) { return text.ends_with(space); };
  while (true) {
    const auto space = std::ranges::find_if(kStripped, ends);
    if (space == kStripped.end()) return size - text.size();
    text.remove_suffix(space->size());
  }
}

}  // namespace

AddedToken read_added_token(const JsonObject& token, bool special) {
  const std::string content = token.string("content");
  refuse_unknown_keys(token, {"id", "content", "single_word", "lstrip", "rstrip", "normalized",
                              "special", "__type"});
  if (token.boolean_or("single_word", false)) {
    throw Error("{}: single_word is not supported (token '{}')", token.where(), content);
  }
  const bool is_special = token.boolean_or("special", false) || special;
  return {.content = content,
          .normalized = token.boolean_or("normalized", !is_special),
          .lstrip = token.boolean_or("lstrip", false),
          .rstrip = token.boolean_or("rstrip", false)};
}

std::vector<std::pair<std::int32_t, AddedToken>> read_added_tokens(const JsonObject& tokenizer) {
  std::vector<std::pair<std::int32_t, AddedToken>> tokens;
  if (!tokenizer.contains("added_tokens")) return tokens;
  for (const JsonObject& token : tokenizer.objects("added_tokens")) {
    const auto id = static_cast<std::int32_t>(token.integer("id", kTokenIds));
    tokens.emplace_back(id, read_added_token(token));
  }
  return tokens;
}

void add_tokens(const Vocabulary& vocabulary, const std::vector<AddedToken>& batch,
                AddedTokens& tokens) {
  StringMap<std::int32_t> added;
  for (const auto& [id, token] : tokens) added.emplace(token.content, id);
  auto next = static_cast<std::int32_t>(vocabulary.size());
  if (!tokens.empty()) next = std::max(next, tokens.rbegin()->first + 1);

  for (const AddedToken& token : batch) {
    if (token.content.empty()) continue;
    auto known = added.find(token.content);
    if (known == added.end()) {
      const auto listed = vocabulary.find(token.content);
      const std::int32_t id = listed == vocabulary.end() ? next++ : listed->second;
      known = added.emplace(token.content, id).first;
    }
    AddedToken& place = tokens[known->second];
    if (!place.content.empty() && place.content != token.content) {
      throw Error("'{}' and '{}' both have id {}", place.content, token.content, known->second);
    }
    place = token;
  }
}

AddedTokenSplitter::AddedTokenSplitter(const AddedTokens& tokens, Normalize normalize)
    : first_(make_matcher(tokens, false)),
      second_(make_matcher(tokens, true)),
      normalize_(std::move(normalize)) {}

AddedTokenSplitter::Matcher AddedTokenSplitter::make_matcher(const AddedTokens& tokens,
                                                             bool normalized) {
  Matcher matcher;
  for (const auto& entry : tokens) {
    const std::string& content = entry.second.content;
    if (entry.second.normalized != normalized || content.empty()) continue;
    matcher[static_cast<unsigned char>(content.front())].push_back(entry);
  }
  for (auto& bucket : matcher) {
    std::ranges::stable_sort(bucket, std::greater{},
                             [](const Entry& entry) { return entry.second.content.size(); });
  }
  return matcher;
}

const AddedTokenSplitter::Entry* AddedTokenSplitter::match_at_start(const Matcher& matcher,
                                                                    std::string_view text) {
  const auto& bucket = matcher[static_cast<unsigned char>(text.front())];
  const auto starts = [&](const Entry& entry) { return text.starts_with(entry.second.content); };
  const auto found = std::ranges::find_if(bucket, starts);
  return found == bucket.end() ? nullptr : &*found;
}

void AddedTokenSplitter::split(const Matcher& matcher, std::string_view text,
                               const TextSink& on_text, const TokenSink& on_token) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Entry* match = match_at_start(matcher, text.substr(i));
    if (match == nullptr) {
      ++i;
      continue;
    }
    const auto& [id, token] = *match;
    const std::size_t begin =
        token.lstrip ? std::max(done, i - space_at_end(text.substr(0, i))) : i;
    i += token.content.size();
    const std::size_t end = token.rstrip ? i + space_at_start(text.substr(i)) : i;
    if (begin > done) on_text(text.substr(done, begin - done));
    if (end > begin) on_token(id);
    // The next token may start in the space that this token takes, as in `tokenizers`.
    done = end;
  }
  if (done < text.size()) on_text(text.substr(done));
}

void AddedTokenSplitter::split(std::string_view text, const TextSink& on_text,
                               const TokenSink& on_token) const {
  const TextSink look_again = [&](std::string_view rest) {
    if (normalize_) {
      split(second_, normalize_(rest), on_text, on_token);
    } else {
      split(second_, rest, on_text, on_token);
    }
  };
  split(first_, text, look_again, on_token);
}

}  // namespace dualpath::data
