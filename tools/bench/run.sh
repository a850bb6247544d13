#!/usr/bin/env bash
# Measures what training and inference cost beside the peers, in one run: sets up, builds, and prints one table.
#
#   tools/bench/run.sh [--json] [--rounds 5] [--only dualpath_paired torchao forward decode towers kernels]
#   tools/bench/run.sh --growth [--json] [--rounds 5]      how a step's cost grows: a table, and docs/growth.svg
#
# The peers live in build/bench/venv, over .venv. Keep the machine otherwise idle; about 10 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly venv=build/bench/venv
script=run.py
targets=(dualpath_bench bench_kernels)
if [[ ${1:-} == --growth ]]; then
  shift
  script=growth.py
  targets=(dualpath_bench dualpath)
fi

{
  tools/setup.sh --tests
  # base.pth comes last: without it a venv is half made.
  if ! compgen -G "$venv/lib/python3.*/site-packages/base.pth" > /dev/null; then
    .venv/bin/python -m venv --clear "$venv"
    realpath .venv/lib/python3.*/site-packages > "$(echo "$venv"/lib/python3.*/site-packages)/base.pth"
  fi
  "$venv/bin/pip" install --quiet --no-deps --requirement tools/bench/requirements.txt
  cmake --preset release
  cmake --build --preset release --target "${targets[@]}"
} >&2

exec "$venv/bin/python" "tools/bench/$script" "$@"
