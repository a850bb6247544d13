#include "modules/network/sweep.h"

namespace dualpath::modules {

void sweep(const Network& network, Executor& executor, std::span<State> states,
           const StageRuns& runs, const std::function<void()>& done) {
  for (const Stage& stage : network.stages) {
    for (State& state : states) {
      if (runs(stage, state)) run(stage, executor, state);
      done();
    }
    executor.release();
  }
}

}  // namespace dualpath::modules
