#include "trainer/experiment/calibrated_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/text/windows.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;

constexpr const char* kTextOnly = "quantize.calibration.text_only";

void count(const data::Sample& sample, std::map<Modality, std::size_t>& counts) {
  const bool has_images = sample.files && !sample.files->images.empty(),
             has_audio = sample.files && !sample.files->audio.empty();
  if (has_images) ++counts[Modality::kImage];
  if (has_audio) ++counts[Modality::kAudio];
  if (!has_images && !has_audio) ++counts[Modality::kText];
}

/// Whether calibration looks at inputs of the decoder.
bool calibrates_decoder(const quant::Plan& plan) {
  return std::ranges::any_of(plan.groups, [](const quant::TensorGroup& group) {
    return group.stream == Modality::kText && !group.args.dynamic;
  });
}

}  // namespace

CalibratedSamples calibrated_samples(const Experiment& experiment, const Texts& texts) {
  CalibratedSamples samples;
  if (!experiment.plan.needs_calibration()) return samples;
  const auto n = static_cast<std::size_t>(experiment.recipe.quantize.calibration.num_samples);
  samples.numbers = data::evenly_spaced(texts.train->size(), n);
  for (const std::size_t number : samples.numbers)
    count(texts.train->sample(number), samples.counts);
  return samples;
}

void require_modalities(const Experiment& experiment, const CalibratedSamples& samples) {
  const auto& [recipe, model, plan, processes] = experiment;
  if (!plan.needs_calibration()) return;
  const bool text_only = recipe.quantize.calibration.text_only;
  if (text_only && calibrates_decoder(plan) && !samples.counts.contains(Modality::kText))
    refuse(recipe, {{kTextOnly, fmt::format("expected samples of text alone among the {} that "
                                            "calibrate, got none: blend a text into data.train",
                                            samples.numbers.size())}});
  if (text_only) return;
  for (const auto& [modality, sample] : model.network.tower_samples) {
    if (samples.counts.contains(modality)) continue;
    refuse(recipe,
           {{kTextOnly,
             fmt::format("the model reads {0}, and none of the {1} samples that calibrate holds "
                         "{0}: expected some in data.train, or true to calibrate without",
                         name_of(modality), samples.numbers.size())}});
  }
}

}  // namespace dualpath::trainer
