#!/usr/bin/env bash
# Feeds broken files to the readers (tests/fuzz), under the address and undefined-behaviour sanitizers.
#
#   tools/fuzz.sh SECONDS [READER...]   so long in all; READERs of: audio chat_template config entries gguf image
#                                       recipe safetensors tokenizer
#
# Needs clang-14; without it, says so and succeeds. The corpus stays in build-fuzz/corpus and is used again. A finding
# ends the script with an error and lies in build-fuzz/findings; `build-fuzz/tests/fuzz/READER_fuzz FILE` repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ ${1:-} =~ ^[0-9]+$ ]] || { echo "usage: tools/fuzz.sh SECONDS [READER...]" >&2; exit 2; }
seconds=$1
shift
readers=("$@")
[ $# -gt 0 ] || readers=(audio chat_template config entries gguf image recipe safetensors tokenizer)
command -v clang++-14 >/dev/null || { echo "fuzz: skipped, there is no clang++-14"; exit 0; }

cmake --preset fuzz
cmake --build --preset fuzz --target fuzzers
each=$((seconds / ${#readers[@]}))
[ $each -gt 0 ] || each=1  # libFuzzer takes 0 for ever
for reader in "${readers[@]}"; do
  echo "fuzz: $reader, $each s"
  corpus=build-fuzz/corpus/$reader
  mkdir -p "$corpus" build-fuzz/findings
  log=build-fuzz/$reader.log
  # Files of a few kilobytes must not make a reader ask for more than 256 MB, or work for more than 10 s; but a small
  # file may well be a large picture.
  megabytes=256 timeout=10
  if [[ $reader == image ]]; then megabytes=512 timeout=30; fi
  build-fuzz/tests/fuzz/${reader}_fuzz -max_total_time=$each -max_len=8192 -timeout=$timeout -malloc_limit_mb=$megabytes \
    -print_funcs=0 -artifact_prefix="build-fuzz/findings/$reader-" "$corpus" "tests/fuzz/seeds/$reader" >"$log" 2>&1 ||
    { tail -40 "$log" >&2; echo "fuzz: $reader: a finding, see above and build-fuzz/findings" >&2; exit 1; }
  tail -1 "$log"
done
