#include "trainer/train/step_batches.h"

#include <algorithm>
#include <functional>
#include <span>

namespace dualpath::trainer {

/// Every second pass of a step is dealt in the other direction, so that no process always gets the
/// longest samples.
data::Batch StepBatches::batch(std::int64_t pass) {
  const std::int64_t passes = options_.gradient_accumulation_steps, in_step = pass % passes,
                     own = options_.per_device_train_batch_size;
  const std::int64_t place =
      in_step % 2 == 0 ? processes_.rank() : processes_.size() - 1 - processes_.rank();
  const auto begin = static_cast<std::size_t>(own * (in_step * processes_.size() + place));
  const std::vector<std::size_t> step = dealt(pass / passes);
  return samples_.batch(std::span(step).subspan(begin, static_cast<std::size_t>(own)));
}

/// A step's samples, the longest first: beside neighbours of their own length little padding is
/// computed. Where a step is one batch, in the order drawn. The last step's are kept for its other
/// batches.
std::vector<std::size_t> StepBatches::dealt(std::int64_t step) {
  const std::lock_guard lock(dealing_);
  if (step == dealt_step_) return dealt_;
  const std::int64_t batches = options_.gradient_accumulation_steps * processes_.size();
  dealt_ = order_.batch(step, options_.per_device_train_batch_size * batches);
  if (batches > 1)
    std::ranges::stable_sort(dealt_, std::ranges::greater(), [&](std::size_t sample) {
      return samples_.sample(sample).tokens.ids.size();
    });
  dealt_step_ = step;
  return dealt_;
}

}  // namespace dualpath::trainer
