#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dualpath::trainer {

/// Sums over one window's scored tokens.
struct WindowSums {
  double nll = 0.0, kl = 0.0;
  std::int64_t correct = 0, agreed = 0, tokens = 0;
};

/// One row of the table on one set. The windows are in the same order in every row.
struct RowSums {
  std::string name;
  std::vector<WindowSums> windows;
};

struct Metrics {
  double nll = 0.0;         ///< nats a token
  double perplexity = 0.0;  ///< exp(nll)
  double accuracy = 0.0;    ///< share of next tokens predicted right, 0 to 1
  double kl = 0.0;          ///< KL(FP || row), nats a token
  double agreement = 0.0;   ///< share of tokens whose likeliest is FP's, too, 0 to 1
  std::int64_t tokens = 0;
};

Metrics metrics_of(const RowSums& row);

/// A share with its 95 % interval.
struct Estimate {
  double value = 0.0, low = 0.0, high = 0.0;
};

/// The share of the loss that came back: (quantized - corrected) / (quantized - FP) of each
/// measure. Null if the loss itself (quantized against FP) cannot be told from zero.
struct Recovery {
  std::optional<Estimate> accuracy, kl, nll;
};

/// Measures recovery by paired bootstrap over windows: all rows are resampled alike, `samples`
/// times. The intervals are percentiles.
Recovery recovery(const RowSums& fp, const RowSums& quantized, const RowSums& corrected,
                  std::int64_t samples, std::uint64_t seed);

}  // namespace dualpath::trainer
