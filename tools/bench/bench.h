#pragma once

#include <torch/cuda.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/samples/batch.h"
#include "trainer/experiment/experiment.h"

namespace dualpath::bench {

/// Seconds by name.
using Times = std::map<std::string, double>;

/// A piece of work that is timed, over and over, at the shapes asked for.
struct Bench {
  virtual ~Bench() = default;
  virtual Times run(std::int64_t windows, std::int64_t tokens) = 0;
};

/// One optimizer step of paired training by the recipe: "seconds".
std::unique_ptr<Bench> step_bench(trainer::Experiment experiment);
/// All stages without the head and without gradient: "reference_s", and the quantized path with its
/// corrections, "corrected_s".
std::unique_ptr<Bench> forward_bench(trainer::Experiment experiment);
/// One token (windows x 1) behind a cache of `tokens`, through all stages without the head:
/// "reference_s" and "corrected_s".
std::unique_ptr<Bench> token_bench(trainer::Experiment experiment);
/// One token (windows x 1) behind a cache of `tokens`, through four distinct layers of a 9B model's
/// shape with random weights: "step_s", and the corrections' part of it, "correction_s".
std::unique_ptr<Bench> decode_bench();
/// One optimizer step of paired training of an encoder alone, with random weights: "seconds". The
/// encoders are ViT-B/16, at BATCH images of SIZE x SIZE pixels, and a 17-layer Conformer, at BATCH
/// clips of SIZE frames.
std::unique_ptr<Bench> vit_bench();
std::unique_ptr<Bench> conformer_bench();
std::unique_ptr<Bench> whisper_bench();

data::Batch random_batch(std::int64_t windows, std::int64_t tokens, std::int64_t vocabulary);
/// A cache of `tokens` random keys and values for each attention.
modules::KvCache random_cache(const modules::Structure& structure, std::int64_t windows,
                              std::int64_t tokens, at::TensorOptions options);
/// Scales from four windows of random tokens.
quant::Calibration random_calibration(const trainer::Experiment& experiment);

/// Waits until a GPU has done what it was given.
inline void wait_for(at::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

/// Seconds of work that a device does; on a GPU from idle to idle.
template <class Work>
double seconds(const Work& work, at::Device device = at::kCPU) {
  wait_for(device);
  const auto start = std::chrono::steady_clock::now();
  work();
  wait_for(device);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace dualpath::bench
