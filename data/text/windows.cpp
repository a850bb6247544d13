#include "data/text/windows.h"

#include <algorithm>
#include <numeric>

#include "data/base/error.h"
#include "data/base/generator.h"
#include "data/text/document_tokens.h"

namespace dualpath::data {

Windows::Windows(Tokens stream, std::int64_t length, const std::string& origin)
    : stream_(std::move(stream)), length_(static_cast<std::size_t>(length)) {
  if (length < 2) throw Error("a window needs at least 2 tokens, got a length of {}", length);
  const std::size_t size = stream_.ids.size();
  if (size < length_) throw Error("{}: {} tokens, but one window needs {}", origin, size, length);
  for (std::size_t begin = 0; begin + 1 < size; begin += length_) {
    if (count_targets(at(begin)) > 0) begins_.push_back(begin);
  }
  if (begins_.empty()) throw Error("{}: there is no token to predict", origin);
}

TokenSpan Windows::at(std::size_t begin) const {
  return TokenSpan(stream_).subspan(begin, std::min(length_, stream_.ids.size() - begin));
}

Tokens token_stream(const Tokenizer& tokenizer, std::span<const Document> documents) {
  Tokens stream;
  const Document* before = nullptr;
  for (const Document& document : documents) {
    if (!stream.ids.empty() && !before->is_conversation) append_end(tokenizer, stream);
    append(tokens_of(tokenizer, document), stream);
    before = &document;
  }
  return stream;
}

Windows make_windows(const Tokenizer& tokenizer, std::span<const Document> documents,
                     std::int64_t length) {
  std::string origin = documents.empty() ? "no documents" : documents.front().origin;
  if (documents.size() > 1) origin += " to " + documents.back().origin;
  return Windows(token_stream(tokenizer, documents), length, origin);
}

WindowOrder::WindowOrder(std::size_t count, std::uint64_t seed) : count_(count), seed_(seed) {
  if (count == 0) throw Error("there are no windows to put in order");
}

std::vector<std::size_t> WindowOrder::batch(std::int64_t step, std::int64_t batch_size) const {
  std::vector<std::size_t> windows;
  std::uint64_t position =
      static_cast<std::uint64_t>(step) * static_cast<std::uint64_t>(batch_size);
  while (windows.size() < static_cast<std::size_t>(batch_size)) {
    const std::vector<std::size_t> order = epoch_order(position / count_);
    const std::size_t begin = position % count_;
    const std::size_t taken =
        std::min(count_ - begin, static_cast<std::size_t>(batch_size) - windows.size());
    windows.insert(windows.end(), order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(begin + taken));
    position += taken;
  }
  return windows;
}

std::vector<std::size_t> WindowOrder::epoch_order(std::uint64_t epoch) const {
  std::vector<std::size_t> order(count_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Generator::derived(seed_, epoch).shuffle(order);
  return order;
}

std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t n) {
  n = std::min(n, count);
  std::vector<std::size_t> windows(n);
  for (std::size_t i = 0; i < n; ++i) windows[i] = i * count / n;
  return windows;
}

}  // namespace dualpath::data
