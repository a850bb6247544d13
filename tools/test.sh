#!/usr/bin/env bash
# Brings a bare Debian 12 machine to passed tests: sets up, builds, checks the layout of the code, runs the tests.
#
#   tools/test.sh          the CPU build; the torch-free targets with sanitizers too; a minute of fuzzing
#   tools/test.sh --cuda   the CUDA build, which needs nvcc, for the oldest and the newest architecture (the preset
#                          cuda-release is for all); without a GPU, tests of kernels skip themselves
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  echo "usage: tools/test.sh [--cuda]" >&2
  exit 2
}

# Trained encoders and tokenizers of others. Tests of what cannot be had skip themselves.
fetch_towers() {
  .venv/bin/python tools/fetch_assets.py --towers || echo "test: goes on without these"
}

check_layout() {
  git ls-files -z '*.h' '*.cpp' '*.cu' | xargs -0r clang-format-14 --dry-run -Werror
}

test_sanitized_torch_free() {
  cmake --preset fuzz
  cmake --build --preset fuzz --target torch_free_tests
  ctest --preset fuzz --label-regex torch_free
}

test_preset() {  # PRESET CTEST-ARGUMENT...
  cmake --preset "$1"
  cmake --build --preset "$1"
  ctest --preset "$@"
}

case "$*" in
  "")
    tools/setup.sh --tests
    fetch_towers
    check_layout
    test_sanitized_torch_free
    tools/fuzz.sh 60
    test_preset release
    ;;
  --cuda)
    PATH=$PATH:/usr/local/cuda/bin
    command -v nvcc >/dev/null || { echo "test: --cuda needs nvcc, on PATH or in /usr/local/cuda/bin" >&2; exit 1; }
    tools/setup.sh --tests
    # Leaves out the tests that start the program hundreds of times: they would mostly load CUDA's libraries, and the
    # plain build runs them.
    test_preset cuda --exclude-regex '^tools'
    ;;
  *) usage ;;
esac
