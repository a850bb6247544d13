#!/usr/bin/env bash
# What training costs, measured beside the peers in one run: sets up, builds, and prints one table.
#
#   tools/bench/run.sh [--json] [--rounds 5] [--only fine_tune torchao]
#
# The peers live in build/bench/venv, over .venv. Keep the machine otherwise idle; about 10 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly venv=build/bench/venv

{
  tools/setup.sh --tests
  if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    realpath .venv/lib/python3.*/site-packages > "$(echo "$venv"/lib/python3.*/site-packages)/base.pth"
  fi
  "$venv/bin/pip" install --quiet --no-deps --requirement tools/bench/requirements.txt
  cmake --preset release
  cmake --build --preset release --target bench_step
} >&2

# Threads that wait do not spin: the programs take turns.
OMP_WAIT_POLICY=passive exec "$venv/bin/python" tools/bench/steps.py "$@"
