#!/usr/bin/env bash
# Proves and times DualPath on a GPU in under 8 minutes, on a machine with torch 2.11 (CUDA 13.0), nvcc and g++; no
# network.
#
#   tools/bench/gpu.sh [--out FILE]      one JSON, to FILE or to stdout
#   tools/bench/gpu.sh --only PART...    kernels, products, build, quickstart, processes, steps, tokens, tests
#   tools/bench/gpu.sh --seconds 900     more time than 470 s for all parts together, and for each
#   tools/bench/gpu.sh --device cpu      the same parts on the CPU (but kernels and products): tries the script itself
#
# - kernels, products: CUDA kernels beside their twins on the CPU, by a program that needs nvcc and g++ alone; integer
#   products beside bfloat16's. Kernels whose twins are written with Highway (quantize by row, mask, dequantize) are left
#   to the tests.
# - build: the program for this device alone, into build-cuda. It needs the packages of tools/packages.txt; the JSON says
#   what was missing, and all that follows is skipped then.
# - quickstart: a short one on the GPU and on the CPU; calibrations and tables must agree within bounds that are printed.
# - processes: as many as there are GPUs, by NCCL, beside one process (on CPUs two, by Gloo).
# - steps, tokens: training steps and decoded tokens at three models' shapes, beside plain bfloat16's and torchao's.
# - tests: those of modules, quant and trainer that are tagged [cuda].
#
# torch, and torchao if it is there: of $DUALPATH_PYTHON, .venv or python3. Exit code 1: no device, or something is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/local/cuda/bin

readonly folder=build/bench/gpu

fail() {
  echo "gpu: $*" >&2
  exit 1
}

python_with_torch() {
  local candidate
  for candidate in "${DUALPATH_PYTHON:-}" .venv/bin/python python3; do
    [[ -n $candidate ]] && "$candidate" -c 'import torch' 2>/dev/null && echo "$candidate" && return
  done
  return 1
}

# The device's own architecture: 90 for a Hopper; what most have where there is none to ask.
architecture() {
  { nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || echo 9.0; } | head -1 | tr -d .
}

# As tools/cmake/Toolchain.cmake has it: the bits are the same on host and device.
compile() {  # SOURCE
  local object="$folder/${1//\//_}.o" common=(-std=c++20 -O3 -I. -c "$1")
  case $1 in
    *.cu)
      nvcc -arch="sm_$architecture" --fmad=false -prec-div=true -prec-sqrt=true -ftz=false "${common[@]}" -o "$object"
      ;;
    *)
      g++ -ffp-contract=off -fno-math-errno -fno-trapping-math -isystem "$cuda/include" "${common[@]}" -o "$object"
      ;;
  esac
}

build_kernels() {
  for tool in nvcc g++; do
    command -v "$tool" >/dev/null || fail "needs $tool"
  done
  cuda=$(dirname "$(dirname "$(realpath "$(command -v nvcc)")")")
  architecture=$(architecture)
  export -f compile
  export folder cuda architecture
  # The CPU's twins that need no Highway; what stands against plain loops in tools/bench/gpu/cases.h needs none.
  local sources=(
    {modules,quant,trainer}/kernels/*_cuda.cu
    modules/kernels/{correction,norm,rotation}_cpu.cpp
    quant/kernels/{distance,scale_sums}_cpu.cpp
    trainer/kernels/adamw_cpu.cpp
    data/formats/half.cpp
    tools/bench/gpu/kernels.cpp
  )
  rm -f "$folder"/*.o
  echo "gpu: building the kernels for sm_$architecture" >&2
  printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} bash -c 'compile {}' >&2 || fail "the kernels do not build"
  nvcc -o "$folder/gpu_kernels" "$folder"/*.o >&2 || fail "the kernels do not link"
}

python=$(python_with_torch) || fail "no Python with torch: set DUALPATH_PYTHON"
mkdir -p "$folder"
if [[ " $* " == *" --device cpu "* ]]; then
  exec "$python" tools/bench/gpu.py --spent "$SECONDS" "$@"
fi
build_kernels
exec "$python" tools/bench/gpu.py --kernels "$folder/gpu_kernels" --architecture "$architecture" --spent "$SECONDS" "$@"
