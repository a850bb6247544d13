#include "quant/compare/selection.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>

#include "modules/network/batch_state.h"

namespace dualpath::quant {
namespace {

using modules::State;

struct Sums {
  double before = 0.0, after = 0.0, positions = 0.0;
};

using SumsByStage = std::map<std::string, Sums>;

/// A batch on its way through both paths.
struct Pair {
  State fp, q;
};

std::vector<Pair> pairs_of(const SelectionBatches& batches, std::size_t first, std::size_t end,
                           at::Device device) {
  std::vector<Pair> pairs;
  for (std::size_t i = first; i < end; ++i) {
    const State start = modules::make_state(batches.batch(i), device);
    pairs.push_back({start, start});
  }
  return pairs;
}

/// Corrects the stage's hidden state and adds its distances before and after.
void measure(const modules::Stage& stage, const modules::Corrections& corrections,
             DistanceKind kind, Pair& pair, Sums& sums) {
  if (!pair.q.has(stage.stream)) return;
  const modules::Stream& exact = pair.fp.stream(stage.stream);
  modules::Stream& made = pair.q.stream(stage.stream);
  const auto distance = [&] {
    return hidden_distance(kind, exact.hidden, made.hidden, made.mask).item<double>();
  };
  sums.before += distance();
  made.hidden = corrections.apply(stage.name, made.hidden);
  sums.after += distance();
  sums.positions += made.mask.sum().item<double>();
}

}  // namespace

std::vector<SelectedStage> select_corrections(const modules::Network& network,
                                              const SelectionBatches& batches,
                                              modules::Executor& reference,
                                              modules::Executor& quantized,
                                              modules::Corrections& corrections, DistanceKind kind,
                                              const std::function<void()>& progress) {
  constexpr std::size_t kTogether = 16;  // batches whose states are held
  const torch::NoGradGuard no_grad;
  SumsByStage sums;
  for (const std::string& stage : corrections.stages()) sums[stage] = {};
  for (std::size_t first = 0; first < batches.count; first += kTogether) {
    const std::size_t end = std::min(batches.count, first + kTogether);
    std::vector<Pair> pairs = pairs_of(batches, first, end, reference.device());
    for (const modules::Stage& stage : network.stages) {
      const auto found = sums.find(stage.name);
      for (Pair& pair : pairs) {
        modules::run(stage, reference, pair.fp);
        modules::run(stage, quantized, pair.q);
        if (found != sums.end()) measure(stage, corrections, kind, pair, found->second);
        progress();
      }
      reference.release();
      quantized.release();
    }
  }
  std::vector<SelectedStage> selected;
  for (const modules::Stage& stage : network.stages) {
    const auto found = sums.find(stage.name);
    if (found == sums.end()) continue;
    const auto [before, after, positions] = found->second;
    if (positions == 0.0) continue;    // stays, since nothing judges it
    const bool kept = after < before;  // false if either is NaN
    selected.push_back({stage.name, before / positions, after / positions, kept});
    if (!kept) corrections.drop(stage.name);
  }
  return selected;
}

}  // namespace dualpath::quant
