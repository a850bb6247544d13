#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dualpath::data {

/// Says what a clone or a download left in a file's place, and how to get the file: "is a Git LFS
/// pointer, …", "is an HTML page, …". Nothing if the text is neither.
std::optional<std::string> stand_in(std::string_view text);

/// Looks for a Git LFS pointer alone: for a text that may be meant to be a page.
std::optional<std::string> lfs_pointer(std::string_view text);

/// Reads a text file that cannot be meant to be either; a stand-in is an Error.
std::string read_unless_stand_in(const std::filesystem::path& file);

/// Throws an Error if the bytes of a binary file are a stand-in, or other text (a server's
/// message). A reader calls it for a file that is not of its format.
void refuse_stand_in(const std::filesystem::path& file, std::span<const std::byte> bytes);

}  // namespace dualpath::data
