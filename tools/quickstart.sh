#!/usr/bin/env bash
# Brings a bare Debian 12 machine to a repaired INT8 model: sets up, builds, calibrates, trains, evaluates, exports,
# and prints the table. Run again after an interruption, it goes on where it was.
#
#   tools/quickstart.sh [ARGUMENT...]   the arguments go to every dualpath command: --set train.max_steps=20
set -euo pipefail
cd "$(dirname "$0")/.."

readonly recipe=recipes/quickstart.yaml

tools/setup.sh
cmake --preset release
cmake --build --preset release --target dualpath

build/dualpath calibrate "$recipe" "$@"
build/dualpath train "$recipe" "$@"
table=$(build/dualpath evaluate "$recipe" "$@")
build/dualpath export "$recipe" "$@"

printf '\n%s\n\n' "$table"
# Compares the prediction with the run, if the run directory is the recipe's own.
if (($# == 0)); then .venv/bin/python tools/check_prediction.py build/quickstart/report.json; fi
