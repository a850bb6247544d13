#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/media/media_file.h"

namespace dualpath::data {

/// Brings a conversation's messages and its files together, as other programs write the two. After
/// it each file has its part {"type": "image"} or {"type": "audio"}, in order, or the model's own
/// placeholder token somewhere in a text.
///
/// - A part may name its file: {"type": "image", "image": "a.jpg"}. The line then names none.
/// - If the line names files and no part stands for one, each "<image>" or "<audio>" in a string
///   becomes a part, as LLaVA, LLaMA-Factory and ms-swift mean it.
///
/// of_line: the files that the line names. directory: paths inside parts are relative to it.
/// origin: the line's place, for errors. Another number of parts or placeholders than of files is
/// an Error, and so is a part of another type than text, image and audio.
MediaFiles take_media(nlohmann::ordered_json& messages, MediaFiles of_line,
                      const std::filesystem::path& directory, const std::string& origin);

/// The path that a sample names. An address is an Error: nothing is downloaded.
std::filesystem::path named_file(const std::string& name, const std::filesystem::path& directory,
                                 const std::string& place);

}  // namespace dualpath::data
