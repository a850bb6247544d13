"""Proves and times DualPath on a GPU, as one JSON; tools/bench/gpu.sh builds the kernels and calls it.

Each part has a time limit. One that finds no time, or lacks something, is said under "skipped" and decides nothing. Exit
code 1: a part has "ok": false, or there is no device.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gpu_processes
import gpu_products
import gpu_quickstart
import gpu_steps
import torch
from commands import Failed, Skipped, done, left
from rounds import ROOT, say

SECONDS = 470.0
ROOMS = ("modules", "quant", "trainer")


@dataclass
class Machine:
    device: str
    kernels: str | None  # the compiled tools/bench/gpu/kernels.cpp
    architecture: str | None
    is_built: bool = False  # the program, by this run or, if it does not build, by an earlier one

    @property
    def preset(self) -> str:
        return "cuda" if self.device == "cuda" else "release"

    @property
    def folder(self) -> Path:
        return ROOT / ("build-cuda" if self.device == "cuda" else "build")

    @property
    def program(self) -> Path:
        return self.folder / "dualpath"


def require_gpu(machine: Machine) -> None:
    if machine.device != "cuda":
        raise Skipped("needs a GPU")


def require_program(machine: Machine) -> None:
    if not machine.is_built:
        raise Skipped("the program was not built")


def kernels(machine: Machine, deadline: float) -> dict:
    """The kernels beside their twins on the CPU, with times."""
    require_gpu(machine)
    try:
        run = subprocess.run([machine.kernels], stdout=subprocess.PIPE, text=True, timeout=left(deadline))
    except subprocess.TimeoutExpired:
        return {"ok": False, "why": "no end in its time"}
    if not run.stdout:
        return {"ok": False, "why": f"ended with {run.returncode}"}
    result = json.loads(run.stdout)
    measured = result.get("kernels", {}).values()
    return {**result, "ok": bool(measured) and all(kernel["ok"] for kernel in measured)}


def products(machine: Machine, deadline: float) -> dict:
    require_gpu(machine)
    return gpu_products.measure(deadline)


def configure(machine: Machine, deadline: float) -> None:
    """For this device alone: for all devices it takes too long."""
    settings = []
    if machine.device == "cuda":
        environment = Path(torch.__file__).parents[4]  # above lib/python3.x/site-packages/torch
        settings = [f"-DDUALPATH_VENV={environment}", f"-DCMAKE_CUDA_ARCHITECTURES={machine.architecture}-real"]
    try:
        done(["cmake", "--preset", machine.preset, *settings], deadline)
    except Failed as failed:  # a package is missing (tools/packages.txt)
        raise Skipped(str(failed)) from None


def make(machine: Machine, targets: list[str], deadline: float) -> None:
    command = ["cmake", "--build", str(machine.folder), "--parallel", str(os.cpu_count()), "--target", *targets]
    done(command, deadline)


def build(machine: Machine, deadline: float) -> dict:
    begin = time.monotonic()
    configure(machine, deadline)
    make(machine, ["dualpath", "dualpath_bench"], deadline)
    machine.is_built = True
    return {"folder": str(machine.folder.relative_to(ROOT)), "seconds": time.monotonic() - begin}


def quickstart(machine: Machine, deadline: float) -> dict:
    require_program(machine)
    return gpu_quickstart.measure(machine.program, machine.device, deadline)


def processes(machine: Machine, deadline: float) -> dict:
    require_program(machine)
    return gpu_processes.measure(machine.program, machine.device, deadline)


def steps(machine: Machine, deadline: float) -> dict:
    require_program(machine)
    return gpu_steps.steps(gpu_steps.Device(machine.device, machine.folder / "dualpath_bench"), deadline)


def tokens(machine: Machine, deadline: float) -> dict:
    require_program(machine)
    return gpu_steps.tokens(gpu_steps.Device(machine.device, machine.folder / "dualpath_bench"), deadline)


def tests(machine: Machine, deadline: float) -> dict:
    """The tests tagged [cuda], which need no reference values."""
    require_program(machine)
    make(machine, [f"{room}_test" for room in ROOMS], deadline)
    result = {"ok": True}
    for room in ROOMS:
        try:
            done([str(machine.folder / f"tests/{room}/{room}_test"), "[cuda]"], deadline)
            result[room] = "passed"
        except Failed as failed:
            result |= {"ok": False, room: str(failed)}
    return result


Part = Callable[[Machine, float], dict]
# The parts in order, and the most seconds that each may take.
PARTS: dict[str, tuple[Part, float]] = {
    "kernels": (kernels, 60), "products": (products, 30), "build": (build, 200), "quickstart": (quickstart, 110),
    "processes": (processes, 60), "steps": (steps, 110), "tokens": (tokens, 60), "tests": (tests, 1e9),
}


def measure(machine: Machine, names: list[str], end: float, stretch: float) -> dict:
    """Runs the parts; stretch: what their limits are multiplied by."""
    result, skipped = {}, {}
    for name, (part, seconds) in PARTS.items():
        if name not in names:
            continue
        say(f"{name}, {max(0.0, end - time.monotonic()):.0f} s left of all")
        try:
            result[name] = part(machine, min(end, time.monotonic() + stretch * seconds))
        except Skipped as reason:
            skipped[name] = str(reason)
            say(f"{name} skipped: {reason}")
        except Failed as failed:
            result[name] = {"ok": False, "why": str(failed)}
    return {**result, "skipped": skipped}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: exercises the script without a GPU")
    parser.add_argument("--kernels", help="the compiled tools/bench/gpu/kernels.cpp")
    parser.add_argument("--architecture", help="the GPU's compute capability, without the dot")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all parts; the limit of each stretches with it")
    parser.add_argument("--spent", type=float, default=0.0, help="seconds of these that are gone already")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, help="where the JSON goes instead of stdout")
    arguments = parser.parse_args()
    on_gpu = arguments.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        sys.exit("gpu: the kernels are built, but there is no CUDA device: nothing was tested or measured")
    begin = time.monotonic() - arguments.spent
    machine = Machine(arguments.device, arguments.kernels, arguments.architecture)
    machine.is_built = "build" not in arguments.only and machine.program.exists()
    result = {"device": torch.cuda.get_device_name() if on_gpu else "cpu", "torch": torch.__version__}
    result |= measure(machine, arguments.only, begin + arguments.seconds, arguments.seconds / SECONDS)
    result["ok"] = all(part.get("ok", True) for part in result.values() if isinstance(part, dict))
    result["seconds"] = time.monotonic() - begin
    text = json.dumps(result, indent=2) + "\n"
    if arguments.out:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)
    for name, part in result.items():
        if isinstance(part, dict) and "ok" in part:
            print(f"gpu: {name}: {'PASS' if part['ok'] else 'FAIL'}", file=sys.stderr)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
