#include <torch/utils.h>

#include "modules/correction/corrections.h"
#include "modules/encoders/conformer.h"
#include "modules/encoders/vit.h"
#include "modules/encoders/whisper.h"
#include "modules/execute/compute_weights.h"
#include "quant/calibrate/calibration.h"
#include "quant/compare/paired_forward.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tools/bench/bench.h"
#include "tools/bench/random_weights.h"
#include "trainer/train/optimizer.h"

namespace dualpath::bench {
namespace {

using modules::Modality;

modules::VitConfig vit_base_patch16_224() {
  modules::VitConfig config;
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_hidden_layers = 12;
  config.num_attention_heads = 12;
  config.image_height = config.image_width = 224;
  config.patch_size = 16;
  config.naming = modules::VitNaming::kTimm;
  return config;
}

/// A Conformer of torchaudio's form: 17 layers, 512 wide, 8 heads, kernel 31.
modules::ConformerConfig conformer_of_17() {
  modules::ConformerConfig config;
  config.kind = modules::ConformerKind::kTorchaudio;
  config.num_mel_bins = config.hidden_size = 512;
  config.intermediate_size = 2048;
  config.num_hidden_layers = 17;
  config.num_attention_heads = 8;
  config.conv_kernel_size = 31;
  return config;
}

quant::QuantizeOptions w8a8() {
  quant::QuantizeOptions options;
  options.ignore.clear();
  return options;
}

/// A step of paired training of an encoder alone: its corrections, by the distances of all layers.
class TowerBench : public Bench {
 public:
  TowerBench(modules::Network network, Modality modality)
      : network_(std::move(network)),
        modality_(modality),
        structure_(modules::structure_of(network_)),
        plan_(quant::make_plan(structure_, w8a8())),
        weights_(std::make_shared<RandomWeights>(structure_)),
        reference_(weights_, at::kBFloat16, modules::Preparation::kLinears),
        scales_(calibrated().scales()),
        quantized_(reference_.shared_weights(), plan_, scales_, quant::Compute::kInteger,
                   quant::InputGradients::kInt8),
        corrections_(plan_.stages, {}, /*seed=*/0),
        corrected_(quantized_, corrections_),
        optimizer_({{corrections_.parameters(), 1e-3, 0.0}}, {}) {}

  Times run(std::int64_t batch, std::int64_t size) override {
    const modules::State start = random_start(batch, size);
    return {{"seconds", seconds([&] {
               const quant::PairedForward paired = quant::paired_forward(
                   network_, start, reference_, corrected_, quant::DistanceKind::kRelative);
               torch::Tensor loss = torch::zeros({});
               for (const quant::StageDistance& distance : paired.distances)
                 loss = loss + distance.sum;
               loss.backward();
               optimizer_.step(step_++);
             })}};
  }

 private:
  quant::Calibration calibrated() {
    const std::int64_t size = network_.tower_samples.at(modality_).input.size(2);
    return quant::calibrate(network_, weights_, at::kBFloat16, plan_,
                            std::vector{random_start(1, size)}, [] {});
  }

  /// Random images of size x size pixels, or clips of `size` frames.
  modules::State random_start(std::int64_t batch, std::int64_t size) const {
    std::vector<std::int64_t> shape = network_.tower_samples.at(modality_).input.sizes().vec();
    shape[0] = batch;
    if (modality_ == Modality::kImage) shape[2] = shape[3] = size;
    if (modality_ == Modality::kAudio) shape[1] = size;
    modules::State state;
    state.towers[modality_].input = torch::randn(shape).to(at::kBFloat16);
    return state;
  }

  modules::Network network_;
  Modality modality_;
  modules::Structure structure_;
  quant::Plan plan_;
  std::shared_ptr<const RandomWeights> weights_;
  modules::FloatExecutor reference_;
  quant::ActivationScales scales_;
  quant::QuantizedExecutor quantized_;
  modules::Corrections corrections_;
  modules::Corrected corrected_;
  trainer::Optimizer optimizer_;
  std::int64_t step_ = 0;
};

}  // namespace

std::unique_ptr<Bench> vit_bench() {
  return std::make_unique<TowerBench>(modules::make_vit(vit_base_patch16_224()), Modality::kImage);
}

std::unique_ptr<Bench> conformer_bench() {
  return std::make_unique<TowerBench>(modules::make_conformer(conformer_of_17()), Modality::kAudio);
}

std::unique_ptr<Bench> whisper_bench() {
  return std::make_unique<TowerBench>(modules::make_whisper({}), Modality::kAudio);
}

}  // namespace dualpath::bench
