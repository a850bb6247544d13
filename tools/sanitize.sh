#!/usr/bin/env bash
# Runs the tests under sanitizers. tools/test.sh runs the torch-free part of the first.
#
#   tools/sanitize.sh            the whole test suite under the address and undefined-behaviour sanitizers
#   tools/sanitize.sh --threads  what has threads of its own under the thread sanitizer: batches made ahead, the processes'
#                                collectives, the launcher, gradients on their way during backward; whole runs of one and
#                                two processes
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  "") preset=debug ;;
  --threads) preset=threads ;;
  *) echo "usage: tools/sanitize.sh [--threads]" >&2; exit 2 ;;
esac

tools/setup.sh --tests
cmake --preset $preset
if [[ $preset == debug ]]; then
  cmake --build --preset debug
  exec ctest --preset debug
fi

cmake --build --preset threads --target dualpath data_base_test data_test trainer_test tools_test
# Nobody has instrumented torch and OpenMP, so what they do is left out by library; one OpenMP thread leaves ours.
export TSAN_OPTIONS="suppressions=$PWD/tools/thread_sanitizer.supp ignore_noninstrumented_modules=1 halt_on_error=1"
export OMP_NUM_THREADS=1
build-threads/tests/data/data_base_test "[threads]"
build-threads/tests/data/data_test "[read_ahead]"
build-threads/tests/trainer/trainer_test "[processes],[loop]"
build-threads/tests/tools/tools_test "[processes]"
