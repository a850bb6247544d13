#pragma once

namespace dualpath::trainer {

/// Starts this program `count` times more, with its own arguments and torchrun's variables, and
/// waits for all. The first interrupt is passed on; a terminal's reach all by themselves. If one
/// process fails, the others learn why, and are ended if they do not stop by themselves. Returns
/// the exit code: the first process's, or another's that failed. Only this function forks, before
/// torch has any thread but the store's.
int launch(int count);

}  // namespace dualpath::trainer
