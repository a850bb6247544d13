#include "quant/compare/selection.h"

#include <torch/torch.h>

#include <map>

#include "modules/network/batch_state.h"

namespace dualpath::quant {
namespace {

using modules::State;

struct Sums {
  double before = 0.0, after = 0.0, positions = 0.0;
};

using SumsByStage = std::map<std::string, Sums>;

void measure(const modules::Network& network, const data::Batch& batch,
             modules::Executor& reference, modules::Executor& quantized,
             const modules::Corrections& corrections, DistanceKind kind, SumsByStage& sums) {
  State fp = modules::make_state(batch, reference.device()), q = fp;
  for (const modules::Stage& stage : network.stages) {
    modules::run(stage, reference, fp);
    modules::run(stage, quantized, q);
    const auto stage_sums = sums.find(stage.name);
    if (stage_sums == sums.end() || !q.has(stage.stream)) continue;
    const modules::Stream& exact = fp.stream(stage.stream);
    modules::Stream& made = q.stream(stage.stream);
    const auto distance = [&] {
      return hidden_distance(kind, exact.hidden, made.hidden, made.mask).item<double>();
    };
    stage_sums->second.before += distance();
    made.hidden = corrections.apply(stage.name, made.hidden);
    stage_sums->second.after += distance();
    stage_sums->second.positions += made.mask.sum().item<double>();
  }
}

}  // namespace

std::vector<SelectedStage> select_corrections(const modules::Network& network,
                                              const SelectionBatches& batches,
                                              modules::Executor& reference,
                                              modules::Executor& quantized,
                                              modules::Corrections& corrections, DistanceKind kind,
                                              const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  SumsByStage sums;
  for (const std::string& stage : corrections.stages()) sums[stage] = {};
  for (std::size_t i = 0; i < batches.count; ++i) {
    const data::Batch batch = batches.batch(i);
    measure(network, batch, reference, quantized, corrections, kind, sums);
    progress(batch.ids.numel());
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
