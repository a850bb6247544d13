#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "modules/network/network.h"

namespace dualpath::modules {

/// The states that go through a network side by side. More would read weights less often, and take
/// more memory for what lies between stages.
inline constexpr std::size_t kSwept = 64;

/// Whether a stage runs on a state.
using StageRuns = std::function<bool(const Stage&, const State&)>;
inline const StageRuns kAllStages = [](const Stage&, const State&) { return true; };

/// Runs all states through a stage before the next one, and lets go of each stage's weights: memory
/// holds those of one, however deep the network. Bits are those of run(), a state at a time. done:
/// called after each stage of each state.
void sweep(const Network& network, Executor& executor, std::span<State> states,
           const StageRuns& runs, const std::function<void()>& done);

}  // namespace dualpath::modules
