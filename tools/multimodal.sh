#!/usr/bin/env bash
# Makes a model with eyes and ears in float, quantizes it, repairs it and prints the table: SmolLM2, a ViT-S/14, Whisper's
# encoder and new alignment layers. tools/quickstart.sh --multimodal sets up, fetches and builds before it. Stopped at any
# point, it goes on where it was; the float model is made once.
#
#   tools/multimodal.sh [--tiny] DUALPATH [ARGUMENT...]   DUALPATH is the program. Arguments go to the commands on the
#                                                         quantized recipe. --tiny: a few samples and steps, to see it run
set -euo pipefail
cd "$(dirname "$0")/.."

tiny=false
if [[ ${1:-} == --tiny ]]; then
  tiny=true
  shift
fi
if (($# == 0)); then
  echo "usage: tools/multimodal.sh [--tiny] DUALPATH [ARGUMENT...]" >&2
  exit 2
fi
readonly dualpath=$1 recipe=recipes/multimodal_w4a8.yaml
shift
assets=build/assets/multimodal out=build/multimodal
if $tiny; then assets+=-tiny out+=-tiny; fi

# Settings that lead a recipe to the tiny data and folders. Usage: settings KEY=VALUE... ; {} is the folder.
settings() {
  $tiny || return 0
  local setting
  for setting in "data.train=$assets/train.blend.json" num_threads=1 "$@"; do printf -- '--set\n%s\n' "${setting//\{\}/$out}"; done
}

# Trains by a recipe in float and exports, unless the export is there.
make_float() {  # EXPORT RECIPE SETTING...
  local export=$1
  shift
  if [[ -d $export ]]; then return; fi
  "$dualpath" train "$@"
  "$dualpath" export "$@"
}

mapfile -t parts < <(settings "data.selection=$assets/selection.blend.json" "data.test=$assets/selection.blend.json" \
  train.max_steps=2 train.per_device_train_batch_size=3 train.gradient_accumulation_steps=1)

decoder=$out/smollm2
if [[ ! -d $decoder ]]; then
  mapfile -t here < <(settings "data.train=build/assets/debian-handbook.jsonl" train.output_dir={}/smollm2-run export.output_dir={}/smollm2)
  "$dualpath" calibrate recipes/smollm2_float.yaml "${here[@]}"
  "$dualpath" export recipes/smollm2_float.yaml "${here[@]}"
fi
if [[ ! -d $out/parts ]]; then
  tools/compose_model.py --decoder "$decoder" --no-system-prompt --out "$out/parts" \
    --vision build/assets/towers/vit-small-patch14 --image-token '<file_sep>' --image-merge 4 \
    --audio build/assets/towers/whisper-tiny-en --audio-token '<gh_stars>' --audio-merge 4
fi
mapfile -t here < <(settings model.path={}/parts train.output_dir={}/alignment-run export.output_dir={}/aligned \
  train.feature_cache.path={}/features)
make_float "$out/aligned" recipes/multimodal_alignment.yaml "${parts[@]}" "${here[@]}"
mapfile -t here < <(settings model.path={}/aligned train.output_dir={}/float-run export.output_dir={}/model \
  train.feature_cache.path={}/features "train.modules=[vision_alignment, audio_alignment]")
make_float "$out/model" recipes/multimodal_float.yaml "${parts[@]}" "${here[@]}"

mapfile -t here < <(settings model.path={}/model train.output_dir={}/w4a8 export.output_dir={}/w4a8-export \
  "data.selection=$assets/selection.blend.json" "data.test=$assets/test.blend.json" \
  "data.out_of_domain=$assets/test_other.blend.json" "evaluate.sets={questions: $assets/questions/test.jsonl}" \
  quantize.calibration.num_samples=8 quantize.smoothing.search=false train.max_steps=1 train.control=false \
  train.per_device_train_batch_size=2 train.gradient_accumulation_steps=1 evaluate.batch_size=2 evaluate.num_tokens=20 evaluate.num_answers=1 \
  evaluate.bootstrap_samples=50)
"$dualpath" calibrate "$recipe" "${here[@]}" "$@"
"$dualpath" train "$recipe" "${here[@]}" "$@"
table=$("$dualpath" evaluate "$recipe" "${here[@]}" "$@")
"$dualpath" export "$recipe" "${here[@]}" "$@"
printf '\n%s\n\n' "$table"

# What float, quantized and corrected model say of a picture and a clip.
picture=$(find "$assets/images/emojione" -name '*.png' | sort | head -1)
clip=$(find "$assets/prompts/librivox" -name '*.wav' | sort | head -1)
"$dualpath" generate "$recipe" "${here[@]}" "$@" --compare --chat --image "$picture" --prompt "What is in the picture?" --max-tokens 16
"$dualpath" generate "$recipe" "${here[@]}" "$@" --compare --chat --audio "$clip" --prompt "Write down what is said." --max-tokens 32
