#pragma once

#include "data/samples/media_text.h"
#include "modules/model/model.h"

namespace dualpath::modules {

/// How a model takes pictures and clips: its towers, and what its directory says of image processor
/// and feature extractor, as objects "image_processor" and "feature_extractor" of a
/// processor_config.json, or the one that a preprocessor_config.json is. A tower without its file
/// is an Error.
data::MediaReaders media_readers(const Model& model);

/// A placeholder token among ids for which no file is named is an Error.
void require_no_placeholder(const Model& model, std::span<const std::int32_t> ids);

}  // namespace dualpath::modules
