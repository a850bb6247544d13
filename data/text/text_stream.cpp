#include "data/text/text_stream.h"

#include <algorithm>
#include <utility>

#include "data/base/utf8.h"

namespace dualpath::data {
namespace {

std::size_t first_of(const std::vector<std::string>& stop, std::string_view bytes) {
  std::size_t first = std::string_view::npos;
  for (const std::string& text : stop) first = std::min(first, bytes.find(text));
  return first;
}

/// Counts the last bytes that may be the start of `text`.
std::size_t begun(std::string_view text, std::string_view bytes) {
  std::size_t size = std::min(text.size() - 1, bytes.size());
  while (!bytes.ends_with(text.substr(0, size))) --size;
  return size;
}

/// Counts the bytes without a last piece that is no character, or not yet.
std::size_t whole_characters(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const Utf8Sequence sequence = leading_sequence(bytes.substr(done));
    if (!sequence.valid && done + sequence.length == bytes.size()) break;
    done += sequence.length;
  }
  return done;
}

}  // namespace

std::string TextStream::add(std::string_view bytes) {
  held_ += bytes;
  const std::size_t stop = first_of(stop_, held_);
  if (stop != std::string::npos) {
    stopped_ = true;
    return replace_invalid_utf8(std::exchange(held_, "").substr(0, stop));
  }
  std::size_t kept = 0;
  for (const std::string& text : stop_) kept = std::max(kept, begun(text, held_));
  const std::size_t certain = whole_characters(held_.substr(0, held_.size() - kept));
  const std::string text = replace_invalid_utf8(held_.substr(0, certain));
  held_.erase(0, certain);
  return text;
}

std::string TextStream::finish() { return replace_invalid_utf8(std::exchange(held_, "")); }

}  // namespace dualpath::data
