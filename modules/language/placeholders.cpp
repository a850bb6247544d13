#include "modules/language/placeholders.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

using at::Tensor;

/// Walks through a text's tokens and gives the place of each.
class Places {
 public:
  /// grid: [images, 2]. Images are taken from it one by one.
  explicit Places(const Tensor& grid) : grid_(grid.accessor<std::int64_t, 2>()) {}

  struct Place {
    std::int64_t time, row, column;
  };

  void begin_text(std::int64_t place) { next_ = place; }
  std::int64_t next() const { return next_; }

  Place of_token() {
    const std::int64_t place = next_++;
    return {place, place, place};
  }

  Place of_image_token() {
    const std::int64_t rows = grid_[image_][0], columns = grid_[image_][1];
    const Place place{next_, next_ + cell_ / columns, next_ + cell_ % columns};
    if (++cell_ == rows * columns) {
      cell_ = 0;
      ++image_;
      next_ += std::max(rows, columns);
    }
    return place;
  }

 private:
  at::TensorAccessor<std::int64_t, 2> grid_;
  std::int64_t image_ = 0, cell_ = 0, next_ = 0;
};

}  // namespace

void fill(Executor& executor, const Placeholder& placeholder, State& state) {
  if (!state.has(placeholder.modality)) return;
  const Stream& tower = state.stream(placeholder.modality);
  const FilledPlaceholders made = executor.fill(
      placeholder, {state.hidden, state.ids, state.mask, state.kinds, tower.hidden, tower.mask});
  state.hidden = made.hidden;
  state.kinds = made.kinds;
}

FilledPlaceholders filled(const Placeholder& placeholder, const PlaceholderOperands& operands) {
  const auto& [hidden, ids, mask, kinds, tower_hidden, tower_mask] = operands;
  const Tensor places = (ids == placeholder.token_id) & mask;
  const Tensor made =
      tower_mask.defined() ? tower_hidden.index({tower_mask}) : tower_hidden.flatten(0, 1);
  const std::int64_t wanted = places.sum().item<std::int64_t>();
  if (wanted != made.size(0))
    throw Error("the texts have {} {} tokens (id {}), their {}s make {}", wanted,
                name_of(placeholder.modality), placeholder.token_id, name_of(placeholder.modality),
                made.size(0));
  const Tensor known = kinds.defined() ? kinds : at::zeros_like(ids, at::kChar);
  return {hidden.masked_scatter(places.unsqueeze(-1), made.to(hidden.scalar_type())),
          known.masked_fill(places, static_cast<std::int64_t>(placeholder.modality))};
}

void place_images(State& state) {
  if (!state.has(Modality::kImage) || !state.kinds.defined()) return;
  const Tensor& grid = state.stream(Modality::kImage).grid;
  if (!grid.defined()) return;
  const std::int64_t batch = state.ids.size(0), length = state.ids.size(1);
  if (state.cache && batch != 1)
    throw Error("texts with images are generated from one by one, got {} at once", batch);
  const Tensor kinds = state.kinds.cpu().contiguous(), mask = state.mask.cpu().contiguous();
  const Tensor positions = at::zeros({3, batch, length}, at::kLong);
  auto out = positions.accessor<std::int64_t, 3>();
  const auto kind = kinds.accessor<std::int8_t, 2>();
  const auto is_real = mask.accessor<bool, 2>();
  const std::int64_t start = state.cache ? state.cache->next_position() : 0;
  Places places(grid);
  for (std::int64_t text = 0; text < batch; ++text) {
    places.begin_text(start);
    for (std::int64_t i = 0; i < length; ++i) {
      if (!is_real[text][i]) continue;
      const bool is_image = kind[text][i] == static_cast<std::int8_t>(Modality::kImage);
      const auto [time, row, column] = is_image ? places.of_image_token() : places.of_token();
      out[0][text][i] = time;
      out[1][text][i] = row;
      out[2][text][i] = column;
    }
  }
  if (state.cache) state.cache->save_positions(start + length - places.next());
  state.positions = positions.to(state.ids.device());
}

}  // namespace dualpath::modules
