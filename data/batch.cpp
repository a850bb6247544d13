#include "data/batch.h"

#include <algorithm>
#include <array>

namespace dualpath::data {

std::int64_t Batch::counted() const { return targets.ne(kNoTarget).sum().item<std::int64_t>(); }

Batch make_batch(const Windows& windows, std::span<const std::size_t> chosen) {
  TORCH_CHECK(!chosen.empty(), "a batch needs at least one window");
  std::size_t longest = 0;
  for (const std::size_t window : chosen) longest = std::max(longest, windows[window].size());

  const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(chosen.size()),
                                          static_cast<std::int64_t>(longest)};
  Batch batch{torch::zeros(shape, torch::kInt64), torch::zeros(shape, torch::kBool),
              torch::full(shape, kNoTarget, torch::kInt64)};
  for (std::size_t row = 0; row < chosen.size(); ++row) {
    const std::span<const std::int32_t> tokens = windows[chosen[row]];
    std::copy(tokens.begin(), tokens.end(), batch.ids.data_ptr<std::int64_t>() + row * longest);
    std::fill_n(batch.mask.data_ptr<bool>() + row * longest, tokens.size(), true);
    std::copy(tokens.begin() + 1, tokens.end(),
              batch.targets.data_ptr<std::int64_t>() + row * longest);
  }
  return batch;
}

}  // namespace dualpath::data
