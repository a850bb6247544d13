#!/usr/bin/env python3
"""Measures how memory grows with a model's depth, in each command and with either strategy of training: models of random
weights in the width of Llama-3.2-1B, with fewer and with more layers. Peak is resident memory, mapped files included.

  .venv/bin/python tools/bench/depth.py [--layers 2 8] [--dualpath build/dualpath] [--json]

Needs build/dualpath and build/assets (tools/quickstart.sh makes both) and 3 GB of disk; about 10 minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import random_model

RECIPE = "recipes/quickstart.yaml"
COMMANDS = ("calibrate", "train end_to_end", "train blockwise", "evaluate", "export")  # the last two of the blockwise run
SIZES = {**random_model.SIZES["1B"], "vocab_size": 8192}  # the table is the same at any depth


def run(program: str, command: str, settings: dict[str, object]) -> tuple[int, float]:
    """Peak resident bytes and seconds of one command."""
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    begin = time.monotonic()
    process = subprocess.Popen([program, command.split()[0], RECIPE, *overrides], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command}: {errors}")
    return usage.ru_maxrss * 1024, time.monotonic() - begin


def measure(program: str, layers: int, folder: Path) -> dict:
    model = random_model.write(folder / str(layers), {**SIZES, "num_hidden_layers": layers})
    settings = {
        "model.path": model, "train.output_dir": folder / f"{layers}-run", "export.output_dir": folder / f"{layers}-export",
        "train.control": "false", "train.report_to": "none", "quantize.calibration.num_samples": 8,
        "quantize.smoothing": "{strength: 0.5}", "evaluate.num_tokens": 2048, "data.window": 128, "train.max_steps": 8,
    }
    weights = (model / "model.safetensors").stat().st_size
    costs = {}
    for command in COMMANDS:
        if command == "train end_to_end":
            end_to_end = folder / f"{layers}-run-end_to_end"
            shutil.copytree(folder / f"{layers}-run", end_to_end)
            own = {"train.strategy": "end_to_end", "train.output_dir": end_to_end}
        else:
            own = {"train.strategy": "blockwise"}
        costs[command] = run(program, command, {**settings, **own})
    return {"layers": layers, "weights": weights,
            **{command: {"peak_bytes": peak, "seconds": seconds} for command, (peak, seconds) in costs.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--dualpath", default="build/dualpath", help="the program (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print for programs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="build") as folder:
        found = [measure(arguments.dualpath, layers, Path(folder)) for layers in arguments.layers]
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print("| layers | weights | " + " | ".join(COMMANDS) + " |")
    print("|---|---|" + "---|" * len(COMMANDS))
    for row in found:
        peaks = " | ".join(f"{row[command]['peak_bytes'] / 1e9:.2f} GB, {row[command]['seconds']:.0f} s" for command in COMMANDS)
        print(f"| {row['layers']} | {row['weights'] / 1e9:.2f} GB | {peaks} |")


if __name__ == "__main__":
    main()
