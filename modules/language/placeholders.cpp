#include "modules/language/placeholders.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>

#include "data/base/error.h"
#include "modules/weights/device_counts.h"
#include "modules/weights/to_device.h"

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

/// Marks the placeholder's tokens: [B, T] bool.
Tensor places_of(const Placeholder& placeholder, const Tensor& ids, const Tensor& mask) {
  return (ids == placeholder.token_id) & mask;
}

/// kinds: what was known before; if undefined, all positions are text.
Tensor kinds_with(const Placeholder& placeholder, const Tensor& places, const Tensor& kinds) {
  const Tensor known = kinds.defined() ? kinds : at::zeros_like(places, at::kChar);
  return known.masked_fill(places, static_cast<std::int64_t>(placeholder.modality));
}

/// Puts the rows of `made` at the marked places, in order.
Tensor put_on_host(const Placeholder& placeholder, const PlaceholderOperands& operands,
                   const Tensor& places) {
  const auto& [hidden, ids, mask, kinds, tower_hidden, tower_mask] = operands;
  const Tensor made =
      tower_mask.defined() ? tower_hidden.index({tower_mask}) : tower_hidden.flatten(0, 1);
  const std::int64_t wanted = places.sum().item<std::int64_t>();
  if (wanted != made.size(0))
    throw Error("the texts have {} {} tokens (id {}), their {}s make {}", wanted,
                name_of(placeholder.modality), placeholder.token_id, name_of(placeholder.modality),
                made.size(0));
  return hidden.masked_scatter(places.unsqueeze(-1), made.to(hidden.scalar_type()));
}

/// Numbers the tower's states [samples * S], the real ones first.
Tensor real_first(const Tensor& mask) {
  return mask.flatten().logical_not().to(at::kChar).argsort(/*stable=*/true, /*dim=*/0,
                                                            /*descending=*/false);
}

/// Refuses, when the stage ends, a number of states other than that of the places.
void count_missing(const Placeholder& placeholder, const Tensor& places, const Tensor& made) {
  const auto refuse = [placeholder](std::int64_t missing) {
    throw Error("the texts have {} {} {} tokens (id {}) than their {}s make", std::abs(missing),
                missing > 0 ? "more" : "fewer", name_of(placeholder.modality), placeholder.token_id,
                name_of(placeholder.modality));
  };
  count_on_device(
      places.device(), [&](const Tensor& counter) { counter.add_(places.sum() - made); }, refuse);
}

/// put_on_host() without telling the host how many places there are: each position reads the state
/// of its number among the places, and the places keep it.
Tensor put_on_device(const Placeholder& placeholder, const PlaceholderOperands& operands,
                     const Tensor& places) {
  const Tensor &hidden = operands.hidden, &tower_mask = operands.tower_mask;
  const Tensor states = operands.tower_hidden.flatten(0, 1).to(hidden.scalar_type());
  const Tensor all = at::ones({states.size(0)}, places.options());
  const Tensor real = tower_mask.defined() ? tower_mask.flatten() : all;
  count_missing(placeholder, places, real.sum());
  const Tensor number = places.flatten().cumsum(0).sub(1).clamp(0, states.size(0) - 1);
  const Tensor chosen = real_first(real).index_select(0, number);
  return at::where(places.unsqueeze(-1), states.index_select(0, chosen).view(hidden.sizes()),
                   hidden);
}

}  // namespace

void fill(Executor& executor, const Placeholder& placeholder, State& state) {
  if (!state.has(placeholder.modality)) return;
  const Stream& tower = state.stream(placeholder.modality);
  const FilledPlaceholders made = executor.fill(
      placeholder, {state.hidden, state.ids, state.mask, state.kinds, tower.hidden, tower.mask});
  state.hidden = made.hidden;
  state.kinds = made.kinds;
  State::OnHost& host = state.on_host;
  if (host.ids.defined())
    host.kinds = kinds_with(placeholder, places_of(placeholder, host.ids, host.mask), host.kinds);
}

FilledPlaceholders filled(const Placeholder& placeholder, const PlaceholderOperands& operands) {
  const Tensor places = places_of(placeholder, operands.ids, operands.mask);
  const auto put = places.is_cpu() ? put_on_host : put_on_device;
  return {put(placeholder, operands, places), kinds_with(placeholder, places, operands.kinds)};
}

void place_images(State& state) {
  if (!state.has(Modality::kImage) || !state.kinds.defined()) return;
  const Tensor& grid = state.stream(Modality::kImage).grid;
  if (!grid.defined()) return;
  const std::int64_t batch = state.ids.size(0), length = state.ids.size(1);
  if (state.cache && batch != 1)
    throw Error("texts with images are generated from one by one, got {} at once", batch);
  const Tensor kinds = state.kinds_on_host().contiguous(), mask = state.mask_on_host().contiguous();
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
  state.positions = to_device(positions, state.ids.device());
}

}  // namespace dualpath::modules
