#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace dualpath::trainer {

/// The losses of a step as a run's files hold them; absent if a file lacks one.
struct LoggedLosses {
  std::int64_t step = 0;
  std::optional<double> loss = {}, kl = {}, ce = {}, hidden = {};

  bool operator==(const LoggedLosses&) const = default;
};

/// Reads the keys "loss", "kl", "ce" and "hidden" of a line of log.jsonl or a part of report.json.
LoggedLosses read_losses(const nlohmann::json& object, std::int64_t step);

}  // namespace dualpath::trainer
