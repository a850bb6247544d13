"""Training steps and decoded tokens on a device, ours beside plain bfloat16's and torchao's.

All models have random weights. Each shape's programs are asked in turn, see rounds.py. The ratios are ours over the
peer's, by the peer's name.
"""

import importlib.util
import json
import sys
from pathlib import Path

import random_model
from gpu_quickstart import FOLDER, overrides
from rounds import ROOT, NoTime, Program, measure, median

STEP, TOKEN = (4, 512), (1, 512)  # windows and tokens of a step; windows of a token, and the cache before it
SMALL_STEP = (2, 128)  # on a CPU, which runs the first shape alone
ROUNDS = 3
PAIRED, FULL = "dualpath_paired", "dualpath_full"
LEARNS = {PAIRED: {}, FULL: {"train.learning_rate.weights": 1e-5}}


class Device:
    """A device and the programs that run on it."""

    def __init__(self, name: str, bench: Path):
        self.name, self.bench = name, bench

    def shapes(self) -> list[str]:
        names = list(random_model.SIZES)
        return names if self.name == "cuda" else names[:1]

    def ours(self, name: str, command: str, shape: tuple[int, int], model: str, settings: dict) -> Program:
        path = random_model.write(FOLDER / model.replace(", ", "-").replace(" ", "-"), random_model.SIZES[model], self.name)
        settings = {"model.path": path, "device": self.name, "train.control": "false", "quantize.smoothing": "null", **settings}
        return Program(name, [str(self.bench), command, *overrides(settings)], *shape)

    def peer(self, name: str, shape: tuple[int, int], model: str) -> Program:
        sizes = json.dumps(random_model.SIZES[model])
        command = [sys.executable, "-W", "ignore", str(ROOT / "tools/bench/gpu_peer.py"), name, sizes, self.name]
        return Program(name, command, *shape, releases=True)


def step_shape(device: Device) -> tuple[int, int]:
    return STEP if device.name == "cuda" else SMALL_STEP


def missing() -> dict:
    return {} if importlib.util.find_spec("torchao") else {"torchao": "not installed, so nothing of it is measured"}


def peers(names: list[str]) -> list[str]:
    return [name for name in names if "torchao" not in name or not missing()]


def step(device: Device, model: str, deadline: float) -> dict:
    shape = step_shape(device)
    programs = [device.ours(name, "step", shape, model, settings) for name, settings in LEARNS.items()]
    programs += [device.peer(name, shape, model) for name in peers(["fine_tune", "torchao"])]
    answers = measure(f"step, {model}", programs, ROUNDS, deadline)
    seconds = {name: median(said, "seconds") for name, said in answers.items()}
    peak = {name: median(said, "peak_bytes") for name, said in answers.items()}
    ratios = {f"{our}/{name}": seconds[our] / seconds[name] for our in LEARNS for name in seconds if name not in LEARNS}
    return {"seconds": seconds, "peak_bytes": peak, "ratios": ratios}


def token(device: Device, model: str, deadline: float) -> dict:
    programs = [device.ours("dualpath", "token", TOKEN, model, {})]
    programs += [device.peer(name, TOKEN, model) for name in peers(["token", "torchao_token"])]
    answers = measure(f"token, {model}", programs, ROUNDS, deadline)
    ours = answers.pop("dualpath")
    corrected = median(ours, "corrected_s")
    others = {"dualpath_bfloat16": median(ours, "reference_s")}
    others |= {name: median(said, "seconds") for name, said in answers.items()}
    ratios = {f"dualpath_corrected/{name}": corrected / seconds for name, seconds in others.items()}
    return {"seconds": {"dualpath_corrected": corrected, **others}, "ratios": ratios}


def by_model(device: Device, work, deadline: float) -> dict:
    """Measures each shape; one that fails leaves the others their turn."""
    result = {"ok": True, "missing": missing()}
    for model in device.shapes():
        try:
            result[model] = work(device, model, deadline)
        except NoTime as end:
            result[model] = {"skipped": str(end)}
        except SystemExit as end:
            result |= {"ok": False, model: {"failed": str(end)}}
    return result


def steps(device: Device, deadline: float) -> dict:
    return {"windows_and_tokens": step_shape(device), **by_model(device, step, deadline)}


def tokens(device: Device, deadline: float) -> dict:
    return {"windows_and_cache": TOKEN, **by_model(device, token, deadline)}
