#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "data/samples/sample_order.h"
#include "data/samples/samples.h"
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// The batches of a training run. A process has gradient_accumulation_steps of them in each step,
/// and numbers them from 0 on through the run: its passes. A batch is a function of seed and number
/// alone.
class StepBatches {
 public:
  /// samples and processes must outlive this.
  StepBatches(const data::Samples& samples, const TrainOptions& options, std::uint64_t seed,
              const Processes& processes)
      : samples_(samples),
        options_(options),
        processes_(processes),
        order_(samples.groups(), seed) {}

  /// This process's part of a pass that all processes share. May be called from several threads at
  /// once.
  data::Batch batch(std::int64_t pass);

 private:
  std::vector<std::size_t> dealt(std::int64_t step);

  const data::Samples& samples_;
  const TrainOptions& options_;
  const Processes& processes_;
  data::SampleOrder order_;
  std::mutex dealing_;
  std::int64_t dealt_step_ = -1;
  std::vector<std::size_t> dealt_;  ///< dealt_step_'s samples
};

}  // namespace dualpath::trainer
