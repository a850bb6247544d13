#pragma once

#include "data/samples/media_text.h"
#include "modules/model/model.h"

namespace dualpath::modules {

/// The readers of a model's pictures and clips, by its towers and its directory's configuration of
/// image processor and feature extractor. These are the objects "image_processor" and
/// "feature_extractor" of a processor_config.json, or a preprocessor_config.json for one of them. A
/// tower without its file is an Error.
data::MediaReaders media_readers(const Model& model);

/// Throws an Error if a placeholder token is among ids for which no file is named.
void require_no_placeholder(const Model& model, std::span<const std::int32_t> ids);

}  // namespace dualpath::modules
