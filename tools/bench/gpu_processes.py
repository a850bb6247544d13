"""As many processes as there are GPUs (on CPUs two), beside one process at the same number of windows a step.

Weights alone are quantized: a code of an input that flips at a tie, by the order of a sum, would move a loss by more.
"""

import json
import shutil
from pathlib import Path

import torch
from commands import Skipped, done
from gpu_quickstart import FOLDER, RECIPE, SETTINGS, first_line, model, overrides
from rounds import say

STEPS, BATCH, BOUND = 5, 2, 1e-4  # docs/many-processes.md: in float32, with gradients in float


def losses(program: Path, settings: dict, name: str, more: list[str], deadline: float) -> tuple[list[float], str]:
    directory = FOLDER / name
    shutil.rmtree(directory, ignore_errors=True)
    ended = done([str(program), "train", RECIPE, *overrides({**settings, "train.output_dir": directory}), *more], deadline)
    lines = (directory / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines], first_line(ended.stderr)


def measure(program: Path, device: str, deadline: float) -> dict:
    count = torch.cuda.device_count() if device == "cuda" else 2
    if count == 1:
        raise Skipped("one GPU: a run of one process makes no process group, so it does not use NCCL")
    say(f"{count} processes on {device}")
    settings = {**SETTINGS, **model(device).settings, "device": device, "train.max_steps": STEPS, "data.window": 128,
                "model.dtype": "float32", "train.input_gradients": "float", "num_threads": 1,
                "quantize.smoothing": "null",
                "quantize.config_groups": "{decoder: {targets: [Linear], input_activations: null}}"}
    one, _ = losses(program, {**settings, "train.per_device_train_batch_size": BATCH * count}, "one", [], deadline)
    split = {**settings, "train.per_device_train_batch_size": BATCH}
    many, says = losses(program, split, "many", ["--processes", str(count)], deadline)
    difference = max(abs(a / b - 1) for a, b in zip(many, one, strict=True))
    return {"ok": len(one) == STEPS and difference <= BOUND, "backend": "NCCL" if device == "cuda" else "Gloo",
            "processes": count, "says": says, "largest_difference": difference, "bound": BOUND, "losses": many,
            "losses_of_one": one}
