"""A short quickstart on the device and on the CPU; the two calibrations and tables are held against one another.

Both compute in bfloat16, whose products differ in their last bits from device to device.
"""

import array
import json
import math
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import random_model
from commands import done
from rounds import ROOT, say

FOLDER = ROOT / "build/bench/gpu"
RECIPE = "recipes/quickstart.yaml"
GGUF = ROOT / "build/assets/smollm2-135m-instruct.gguf"
BOOK, OTHER_BOOK = ROOT / "build/assets/debian-handbook.jsonl", ROOT / "build/assets/python-doc.jsonl"
SETTINGS = {
    "train.max_steps": 10, "train.control": "false", "train.report_to": "none", "train.logging_steps": 1,
    "quantize.calibration.num_samples": 8, "quantize.smoothing": "{}", "evaluate.num_tokens": 4096, "num_threads": 0,
}
# Relative differences between the devices; docs/performance.md says what other kernels on one CPU change. A quantized
# row's may be larger by a share of what quantizing costs it: a broken model's perplexity hangs on every code.
FP_PERPLEXITY, QUANTIZED_PERPLEXITY, SHARE_OF_LOSS = 0.005, 0.02, 0.05
MEDIAN_SCALE, LARGEST_SCALE = 0.01, 0.05


@dataclass
class Model:
    """A model and its texts, as overrides of the recipe."""

    name: str
    is_trained: bool
    settings: dict


def model(device: str) -> Model:
    """The quickstart's own where tools/quickstart.sh has brought it, else one of random weights on this repository's pages."""
    if all(path.exists() for path in (GGUF, BOOK, OTHER_BOOK)):
        return Model("SmolLM2-135M", True, {})
    name = "SmolLM2-135M"
    path = random_model.write(FOLDER / name, random_model.SIZES[name], device)
    settings = {"model.path": path, "data.train": "docs", "data.out_of_domain": "README.md"}
    return Model(f"random weights of {name}'s shape", False, settings)


def overrides(settings: dict) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith("device: ")), "")


def scales(path: Path) -> dict[str, float]:
    """The static scales of a calibration's safetensors file."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    spans = {name: about["data_offsets"] for name, about in header.items() if name.endswith(".scale")}
    return {name: array.array("f", data[begin + first : begin + last])[0] for name, (first, last) in spans.items()}


def run(program: Path, of: Model, device: str, name: str, deadline: float) -> dict:
    """Runs all commands of a recipe in a directory of their own."""
    directory = FOLDER / name
    shutil.rmtree(directory, ignore_errors=True)
    settings = {**SETTINGS, **of.settings, "device": device, "train.output_dir": directory / "run",
                "export.output_dir": directory / "export"}
    result = {"seconds": {}}
    for command in ("calibrate", "train", "evaluate", "export"):
        say(f"{command} on {device}, {of.name}")
        begin = time.monotonic()
        ended = done([str(program), command, RECIPE, "--json", *overrides(settings)], deadline)
        result["seconds"][command] = time.monotonic() - begin
        if command == "evaluate":
            result |= {"says": first_line(ended.stderr), "sets": json.loads(ended.stdout)["sets"]}
    result["scales"] = scales(directory / "run/calibration.safetensors")
    return result


def perplexity_bound(row: str, rows: dict) -> float:
    if row == "fp":
        return FP_PERPLEXITY
    loss = math.log(rows[row]["perplexity"] / rows["fp"]["perplexity"])
    return QUANTIZED_PERPLEXITY + SHARE_OF_LOSS * max(0.0, loss)


def check(what: str, ours: float, theirs: float, bound: float) -> dict:
    difference = abs(ours / theirs - 1)
    return {"what": what, "device": ours, "cpu": theirs, "difference": difference, "bound": bound, "ok": difference <= bound}


def scale_checks(ours: dict, theirs: dict) -> list[dict]:
    if ours.keys() != theirs.keys():
        return [{"what": "the scales' names", "ok": False}]
    differences = [abs(ours[name] / theirs[name] - 1) for name in ours]
    found = {"median": (statistics.median(differences), MEDIAN_SCALE), "largest": (max(differences), LARGEST_SCALE)}
    return [
        {"what": f"{name} difference of {len(ours)} scales", "difference": value, "bound": bound, "ok": value <= bound}
        for name, (value, bound) in found.items()
    ]


def recovery_checks(where: str, ours: dict, theirs: dict) -> list[dict]:
    """The device's recovered KL lies in the CPU's interval over windows. Null: the loss cannot be told from zero."""
    checks = []
    for row, measures in theirs.get("recovery", {}).items():
        cpu, device = measures["kl"], ours["recovery"][row]["kl"]
        if cpu and device:
            ok = cpu["low"] <= device["value"] <= cpu["high"]
            checks.append({"what": f"{where}, {row}: KL recovered", "device": device["value"], "cpu": cpu, "ok": ok})
    return checks


def compare(ours: dict, theirs: dict, is_trained: bool) -> list[dict]:
    """With random weights there is no loss to recover: it is as small as rounding."""
    checks = scale_checks(ours["scales"], theirs["scales"])
    for name, rows in theirs["sets"].items():
        for row, figures in rows.items():
            if row in ("recovery", "intervals"):
                continue
            perplexity = ours["sets"][name][row]["perplexity"]
            checks.append(check(f"{name}, {row}: perplexity", perplexity, figures["perplexity"], perplexity_bound(row, rows)))
        if is_trained:
            checks += recovery_checks(name, ours["sets"][name], rows)
    return checks


def measure(program: Path, device: str, deadline: float) -> dict:
    of = model(device)
    ours, theirs = run(program, of, device, "device", deadline), run(program, of, "cpu", "cpu", deadline)
    checks = compare(ours, theirs, of.is_trained)
    about = {name: {key: side[key] for key in ("says", "seconds")} for name, side in (("device", ours), ("cpu", theirs))}
    return {"ok": all(one["ok"] for one in checks), "model": of.name, **about, "checks": checks}
