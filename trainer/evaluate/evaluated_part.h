#pragma once

#include <string>
#include <vector>

#include "data/samples/sample_subset.h"

namespace dualpath::trainer {

/// The samples of a set that are evaluated together.
struct EvaluatedPart {
  /// "text", "image", "audio" or "image and audio", by their files; empty for a model without
  /// towers.
  std::string modality;
  data::SampleSubset samples;
};

/// Divides a set by modality, in the order text, image, audio, both; a modality without a sample is
/// left out. A model without towers has one part. The set must outlive the parts.
std::vector<EvaluatedPart> parts_of(const data::Samples& set, bool has_towers);

}  // namespace dualpath::trainer
