#include "quant/selection.h"

#include <torch/torch.h>
#include "modules/batch_state.h"

#include <map>

namespace dualpath::quant {
namespace {

using modules::State;

struct Sums {
  double before = 0.0, after = 0.0;
};

using SumsByStage = std::map<std::string, Sums>;

void measure(const modules::Network& network, const data::Batch& batch,
             modules::Executor& reference, modules::Executor& quantized,
             const Corrections& corrections, DistanceKind kind, SumsByStage& sums) {
  State fp = modules::make_state(batch), q = fp;
  const auto distance = [&] {
    return hidden_distance(kind, fp.hidden, q.hidden, batch.mask).item<double>();
  };
  for (const modules::Stage& stage : network.stages) {
    modules::run(stage, reference, fp);
    modules::run(stage, quantized, q);
    const auto stage_sums = sums.find(stage.name);
    if (stage_sums == sums.end()) continue;
    stage_sums->second.before += distance();
    q.hidden = corrections.apply(stage.name, q.hidden);
    stage_sums->second.after += distance();
  }
}

}  // namespace

std::vector<SelectedStage> select_corrections(const modules::Network& network,
                                              const std::vector<data::Batch>& batches,
                                              modules::Executor& reference,
                                              modules::Executor& quantized,
                                              Corrections& corrections, DistanceKind kind,
                                              const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  SumsByStage sums;
  for (const std::string& stage : corrections.stages()) sums[stage] = {};
  double tokens = 0.0;
  for (const data::Batch& batch : batches) {
    measure(network, batch, reference, quantized, corrections, kind, sums);
    tokens += batch.mask.sum().item<double>();
    progress(batch.ids.numel());
  }
  std::vector<SelectedStage> selected;
  for (const modules::Stage& stage : network.stages) {
    const auto found = sums.find(stage.name);
    if (found == sums.end()) continue;
    const auto [before, after] = found->second;
    const bool kept = after < before;  // not where either is NaN
    selected.push_back({stage.name, before / tokens, after / tokens, kept});
    if (!kept) corrections.drop(stage.name);
  }
  return selected;
}

}  // namespace dualpath::quant
