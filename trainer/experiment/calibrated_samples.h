#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "modules/config/modality.h"
#include "trainer/experiment/experiment.h"
#include "trainer/experiment/texts.h"

namespace dualpath::trainer {

/// The samples of the training text that a calibration runs, evenly spaced.
struct CalibratedSamples {
  std::vector<std::size_t> numbers;  ///< empty if the plan has nothing to calibrate
  /// Counts the samples with pictures, those with clips, and those of text alone.
  std::map<modules::Modality, std::size_t> counts;
};
CalibratedSamples calibrated_samples(const Experiment& experiment, const Texts& texts);

/// Refuses samples that show the decoder too little. If the model reads pictures or clips, some
/// samples must hold them, unless quantize.calibration.text_only is true. Then a decoder that is
/// calibrated needs samples of text alone.
void require_modalities(const Experiment& experiment, const CalibratedSamples& samples);

}  // namespace dualpath::trainer
