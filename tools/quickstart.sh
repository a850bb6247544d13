#!/usr/bin/env bash
# Brings a bare Debian 12 machine to a repaired INT8 model: sets up, builds, calibrates, trains, evaluates, exports,
# and prints the table. Run again after an interruption, it goes on where it was. Where there are a GPU and nvcc, it
# builds for CUDA and computes there.
#
#   tools/quickstart.sh [ARGUMENT...]                the arguments go to every dualpath command: --set train.max_steps=20
#   tools/quickstart.sh --multimodal [ARGUMENT...]   a model with eyes and ears instead, made in float first (tools/multimodal.sh)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly recipe=recipes/quickstart.yaml
multimodal=false
if [[ ${1:-} == --multimodal ]]; then
  multimodal=true
  shift
fi

has_gpu() { nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }

preset=release folder=build
if has_gpu; then
  PATH=$PATH:/usr/local/cuda/bin
  if command -v nvcc >/dev/null; then
    preset=cuda folder=build-cuda
  else
    echo "quickstart: there is a GPU but no nvcc, so the CPU computes; install CUDA's toolkit (13.0) and run this" \
      "again, or build with: cmake --preset cuda && cmake --build --preset cuda" >&2
  fi
fi

tools/setup.sh
if $multimodal; then
  .venv/bin/python tools/fetch_assets.py --towers
  .venv/bin/python tools/fetch_multimodal.py
fi
cmake --preset "$preset"
cmake --build --preset "$preset" --target dualpath

if $multimodal; then exec tools/multimodal.sh "$folder/dualpath" "$@"; fi

"$folder/dualpath" calibrate "$recipe" "$@"
"$folder/dualpath" train "$recipe" "$@"
table=$("$folder/dualpath" evaluate "$recipe" "$@")
"$folder/dualpath" export "$recipe" "$@"

printf '\n%s\n\n' "$table"
# Compares the prediction with the run, if the run directory is the recipe's own.
if (($# == 0)); then .venv/bin/python tools/check_prediction.py build/quickstart/report.json; fi
