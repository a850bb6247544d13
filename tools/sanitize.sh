#!/usr/bin/env bash
# Runs the whole test suite under the address and undefined-behaviour sanitizers. tools/test.sh runs the torch-free
# part.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/setup.sh --tests
cmake --preset debug
cmake --build --preset debug
ctest --preset debug
