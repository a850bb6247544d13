#pragma once

namespace dualpath::trainer {

/// The names of the table's rows, the same in report, command line and text.
inline constexpr const char *kFp = "fp", *kTrained = "trained", *kQuantized = "quantized",
                            *kSmoothed = "smoothed", *kCorrected = "corrected",
                            *kSmoothedCorrected = "smoothed_corrected", *kControl = "control";

/// The names in the order in which rows are shown; not every run has all.
inline constexpr const char* kRows[] = {kFp,        kTrained,           kQuantized, kSmoothed,
                                        kCorrected, kSmoothedCorrected, kControl};

}  // namespace dualpath::trainer
