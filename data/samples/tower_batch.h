#pragma once

#include <torch/types.h>

#include <optional>
#include <span>
#include <vector>

#include "data/media/image_processor.h"
#include "data/samples/log_mel.h"

namespace dualpath::data {

/// The input of an encoder beside the texts of a batch: N images or clips, those of all texts in
/// order.
struct TowerBatch {
  /// float32: images' pixels [N, 3, height, width] or patches [N, T, values]; clips' features [N,
  /// T, mels].
  torch::Tensor values;
  torch::Tensor mask;  // [N, T] bool, false at padding; undefined if there is none
  torch::Tensor grid;  // [N, 2] int64, rows and columns of patches; else undefined
};

/// The input of a model's encoders, each if there is any.
struct TowerBatches {
  std::optional<TowerBatch> images = {}, audio = {};
};

/// Puts at least one image side by side, patches padded with zeros on the right. Planes of several
/// sizes are an Error.
TowerBatch batch_of(std::span<const PreparedImage> images, ImageLayout layout);
TowerBatch batch_of(const AudioFeatures& clips);

}  // namespace dualpath::data
