#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dualpath::data {

/// What a clone or a download left in a file's place, and how to get the file: "is a Git LFS
/// pointer, …", "is an HTML page, …". Nothing if the text is neither.
std::optional<std::string> stand_in(std::string_view text);

/// Error if the bytes of a binary file are such a stand-in, or other text, as a server's message
/// is. For a reader to call where the file is not of its format.
void refuse_stand_in(const std::filesystem::path& file, std::span<const std::byte> bytes);

}  // namespace dualpath::data
