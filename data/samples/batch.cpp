#include "data/samples/batch.h"

#include <algorithm>
#include <array>

namespace dualpath::data {

std::int64_t Batch::counted() const { return targets.ne(kNoTarget).sum().item<std::int64_t>(); }

Batch make_batch(std::span<const TokenSpan> texts) {
  TORCH_CHECK(!texts.empty(), "a batch needs at least one text");
  std::size_t longest = 0;
  for (const TokenSpan& text : texts) longest = std::max(longest, text.ids.size());

  const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(texts.size()),
                                          static_cast<std::int64_t>(longest)};
  Batch batch{torch::zeros(shape, torch::kInt64), torch::zeros(shape, torch::kBool),
              torch::full(shape, kNoTarget, torch::kInt64)};
  for (std::size_t row = 0; row < texts.size(); ++row) {
    const TokenSpan& tokens = texts[row];
    const std::span ids = tokens.ids;
    std::copy(ids.begin(), ids.end(), batch.ids.data_ptr<std::int64_t>() + row * longest);
    std::fill_n(batch.mask.data_ptr<bool>() + row * longest, ids.size(), true);
    std::int64_t* targets = batch.targets.data_ptr<std::int64_t>() + row * longest;
    for (std::size_t i = 1; i < ids.size(); ++i)
      if (tokens.is_target(i)) targets[i - 1] = ids[i];
  }
  return batch;
}

Batch make_batch(const Windows& windows, std::span<const std::size_t> chosen) {
  std::vector<TokenSpan> texts;
  for (const std::size_t window : chosen) texts.push_back(windows[window]);
  return make_batch(texts);
}

}  // namespace dualpath::data
