#!/usr/bin/env bash
# Quantizes and repairs a model of GLM-4-9B's configuration in little memory, and prints what each command took beside what
# `plan` predicted. The weights are random, with a real model's outlier channels: it is about memory and time.
#
#   tools/bench/big_model.sh [--layers 40] [--bits 8] [--steps 20] [--memory-limit 8GB] [--json]
#
# 18.8 GB of disk for the model and as much for its export; hours on two cores without bfloat16 and VNNI, see
# docs/performance.md. --layers 4 is the same model with fewer layers: memory should hardly differ.
set -euo pipefail
cd "$(dirname "$0")/../.."

{
  tools/setup.sh
  cmake --preset release
  cmake --build --preset release --target dualpath
} >&2
exec .venv/bin/python tools/bench/big_model.py "$@"
