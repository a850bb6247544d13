#!/usr/bin/env bash
# The pipeline of tools/multimodal.sh on the tiny data with the real decoder and encoders: it runs through, judges each
# modality, and its export, opened again, computes what was evaluated. Exit 77: skipped, for want of files.
#
#   tests/tools/multimodal_pipeline.sh DUALPATH
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly dualpath=$1 out=build/multimodal-tiny

for needed in build/assets/towers/{vit-small-patch14,whisper-tiny-en} build/assets/multimodal-tiny/train.blend.json; do
  if [[ ! -e $needed ]]; then
    echo "SKIP: $needed is not there (tools/fetch_assets.py --towers, tools/fetch_multimodal.py --tiny)"
    exit 77
  fi
done

rm -rf "$out"
tools/multimodal.sh --tiny "$dualpath"
"$dualpath" evaluate "$out/w4a8/recipe.resolved.yaml" --set "model.path=$out/w4a8-export" --json >"$out/exported.json"
.venv/bin/python - "$out/w4a8/report.json" "$out/exported.json" <<'PYTHON'
import json
import sys

run = json.load(open(sys.argv[1]))["evaluation"]["sets"]
exported = json.load(open(sys.argv[2]))["sets"]
assert set(run) == set(exported) == {"in_domain", "out_of_domain", "questions"}, (list(run), list(exported))
assert set(run["in_domain"]) == {"text", "image", "audio"}, list(run["in_domain"])
compared = 0
for name, modalities in run.items():
    for modality, rows in modalities.items():
        for row in ("fp", "quantized", "smoothed", "smoothed_corrected"):
            assert rows[row]["perplexity"] > 1, (name, modality, row)
        wanted = {"image": {"exact", "frames"}, "audio": {"wer", "cer", "frames"}, "text": set()}[modality]
        assert wanted <= set(rows["smoothed_corrected"]), (name, modality, list(rows["smoothed_corrected"]))
        assert rows["smoothed_corrected"]["perplexity"] == exported[name][modality]["corrected"]["perplexity"], (name, modality)
        compared += 1
print(f"{compared} rows of the export compute what was evaluated")
PYTHON
