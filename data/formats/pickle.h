#pragma once

#include <filesystem>

namespace dualpath::data {

/// Throws an Error if the path is a pickle (.bin, .pt, .pth, .ckpt), or a directory whose only
/// weights are pickles. Reading a pickle may run any program, so we never do. The message has the
/// command that converts pickles to safetensors.
void refuse_pickle(const std::filesystem::path& path);

}  // namespace dualpath::data
