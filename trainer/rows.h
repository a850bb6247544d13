#pragma once

namespace dualpath::trainer {

/// The rows of an evaluation's table, in the order in which they are shown; not every run has all.
inline constexpr const char* kRows[] = {"fp",        "quantized",          "smoothed",
                                        "corrected", "smoothed_corrected", "control"};

}  // namespace dualpath::trainer
