#include "data/text/document_tokens.h"

#include <algorithm>
#include <string>

namespace dualpath::data {
namespace {

using Ids = std::vector<std::int32_t>;

bool continues_character(char byte) { return (byte & 0xC0) == 0x80; }

/// Finds places of a text in the bytes of its tokens. Mostly the two are equal. If the tokenizer
/// changes text (NFC, a space put in front, bytes dropped), the bytes that it makes of the text
/// before a place tell the place.
class Places {
 public:
  Places(const Tokenizer& tokenizer, std::string_view text, const Ids& ids)
      : tokenizer_(tokenizer), text_(text), bytes_(bytes_of(tokenizer, ids)) {}

  /// The place in the bytes. A character composed of some on both sides of a place lies inside the
  /// answer.
  ByteRange operator()(ByteRange in_text) const {
    if (bytes_ == text_) return in_text;
    auto [end, splits_character] = place(in_text.end);
    if (splits_character && end < bytes_.size()) {
      ++end;
      while (end < bytes_.size() && continues_character(bytes_[end])) ++end;
    }
    return {place(in_text.begin).at, end};
  }

 private:
  struct Place {
    std::size_t at;
    bool splits_character;
  };

  Place place(std::size_t in_text) const {
    const std::string before = bytes_of(tokenizer_, tokenizer_.encode(text_.substr(0, in_text)));
    const auto same = std::ranges::mismatch(before, bytes_);
    auto at = static_cast<std::size_t>(same.in1 - before.begin());
    while (at > 0 && at < bytes_.size() && continues_character(bytes_[at])) --at;
    return {at, at < before.size()};
  }

  const Tokenizer& tokenizer_;
  std::string_view text_;
  std::string bytes_;
};

std::vector<std::uint8_t> targets_of(const Tokenizer& tokenizer, const Ids& ids,
                                     std::string_view text, const std::vector<ByteRange>& answers) {
  std::vector<std::uint8_t> targets(ids.size(), 0);
  const Places places(tokenizer, text, ids);
  std::size_t token = 0, begin = 0;  // the token's first byte, among all bytes
  for (const ByteRange& in_text : answers) {
    const ByteRange answer = places(in_text);
    if (answer.begin == answer.end) continue;
    for (; token < ids.size() && begin < answer.end; ++token) {
      const std::size_t end = begin + tokenizer.bytes(ids[token]).size();
      if (end > answer.end) {  // another answer may begin in this token
        targets[token] = 1;
        break;
      }
      targets[token] |= end > answer.begin;
      begin = end;
    }
  }
  return targets;
}

}  // namespace

Tokens tokens_of(const Tokenizer& tokenizer, const Document& document) {
  Tokens tokens{tokenizer.encode(document.text)};
  if (document.answers)
    tokens.targets = targets_of(tokenizer, tokens.ids, document.text, *document.answers);
  return tokens;
}

std::string bytes_of(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::string bytes;
  for (const std::int32_t id : ids) bytes += tokenizer.bytes(id);
  return bytes;
}

void append_end(const Tokenizer& tokenizer, Tokens& tokens) {
  const auto end = tokenizer.special_tokens().eos;
  if (!end) return;
  tokens.ids.push_back(*end);
  if (!tokens.targets.empty()) tokens.targets.push_back(0);
}

void append(const Tokens& more, Tokens& tokens) {
  if (!tokens.targets.empty() || !more.targets.empty()) {
    tokens.targets.resize(tokens.ids.size(), 1);
    tokens.targets.insert(tokens.targets.end(), more.targets.begin(), more.targets.end());
  }
  tokens.ids.insert(tokens.ids.end(), more.ids.begin(), more.ids.end());
  if (!tokens.targets.empty()) tokens.targets.resize(tokens.ids.size(), 1);
}

}  // namespace dualpath::data
