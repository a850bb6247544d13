#include "data/added_tokens.h"

#include <algorithm>
#include <functional>

#include "data/base/error.h"
#include "data/vocabulary.h"

namespace dualpath::data {
namespace {

AddedToken read_added_token(const JsonObject& token) {
  for (const char* option : {"single_word", "lstrip", "rstrip"}) {
    if (token.boolean_or(option, false)) {
      throw Error("{}: {} is not supported (token '{}')", token.where(), option,
                  token.string("content"));
    }
  }
  return {.content = token.string("content"),
          .id = static_cast<std::int32_t>(token.integer("id", kTokenIds)),
          .normalized = token.boolean_or("normalized", true)};
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const JsonObject& tokenizer) {
  std::vector<AddedToken> tokens;
  if (!tokenizer.contains("added_tokens")) return tokens;
  for (const JsonObject& token : tokenizer.objects("added_tokens")) {
    tokens.push_back(read_added_token(token));
  }
  return tokens;
}

AddedTokenSplitter::AddedTokenSplitter(const std::vector<AddedToken>& tokens, Normalize normalize)
    : first_(make_matcher(tokens, false)),
      second_(make_matcher(tokens, true)),
      normalize_(std::move(normalize)) {}

AddedTokenSplitter::Matcher AddedTokenSplitter::make_matcher(const std::vector<AddedToken>& tokens,
                                                             bool normalized) {
  Matcher matcher;
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized || token.content.empty()) continue;
    matcher[static_cast<unsigned char>(token.content.front())].push_back(token);
  }
  for (auto& bucket : matcher) {
    std::ranges::stable_sort(bucket, std::greater{},
                             [](const AddedToken& t) { return t.content.size(); });
  }
  return matcher;
}

const AddedToken* AddedTokenSplitter::match_at_start(const Matcher& matcher,
                                                     std::string_view text) {
  const auto& bucket = matcher[static_cast<unsigned char>(text.front())];
  const auto starts = [&](const AddedToken& token) { return text.starts_with(token.content); };
  const auto found = std::ranges::find_if(bucket, starts);
  return found == bucket.end() ? nullptr : &*found;
}

void AddedTokenSplitter::split(const Matcher& matcher, std::string_view text,
                               const TextSink& on_text, const TokenSink& on_token) {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    const AddedToken* token = match_at_start(matcher, text.substr(i));
    if (token == nullptr) {
      ++i;
      continue;
    }
    if (i > done) on_text(text.substr(done, i - done));
    on_token(token->id);
    done = i += token->content.size();
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
