"""Measures the GPU, as one JSON: kernels, integer products beside bfloat16's, and the test programs.

  gpu.py PROGRAM --architecture 90 [--out FILE]       tools/bench/gpu.sh builds PROGRAM and calls it

The test programs run their tests tagged [cuda], which need no reference values.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 450  # for the whole script
ROOMS = ("modules", "quant", "trainer")
# tokens, in, out: SmolLM2-135M and a 9B model
PRODUCTS = [(1024, 576, 1536), (2048, 4096, 4096), (2048, 4096, 13696), (2048, 13696, 4096), (32, 4096, 13696)]


def seconds_of(launch) -> float:
    """Times one launch: the median of some runs of many launches, after one run that does not count."""
    runs, launches, seconds = 9, 20, []
    for run in range(runs + 1):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(launches):
            launch()
        end.record()
        end.synchronize()
        if run > 0:
            seconds.append(begin.elapsed_time(end) / launches / 1000)
    return statistics.median(seconds)


def is_exact() -> bool:
    """Whether torch._int_mm's sums are the integers', codes at their ends among them."""
    for k in (16, 1536, 16384):
        a = torch.randint(-128, 128, (33, k), dtype=torch.int8, device="cuda")
        b = torch.randint(-127, 128, (24, k), dtype=torch.int8, device="cuda")
        a[0], a[1], b[0], b[1] = -128, 127, -127, 127
        # The host's int64: the device has no such product, and float32 would round.
        if not torch.equal(torch._int_mm(a, b.t()).cpu().long(), a.cpu().long() @ b.cpu().long().t()):
            return False
    return True


def products() -> dict:
    result = {"exact": is_exact()}
    for tokens, inner, outer in PRODUCTS:
        a = torch.randint(-128, 128, (tokens, inner), dtype=torch.int8, device="cuda")
        b = torch.randint(-127, 128, (outer, inner), dtype=torch.int8, device="cuda")
        x, weight = a.bfloat16(), b.bfloat16()
        int8, bfloat16 = seconds_of(lambda: torch._int_mm(a, b.t())), seconds_of(lambda: x @ weight.t())
        result[f"{tokens}x{inner}x{outer}"] = {
            "int8_s": int8,
            "bfloat16_s": bfloat16,
            "int8_tops": 2e-12 * tokens * inner * outer / int8,
            "ratio": int8 / bfloat16,
        }
    return result


def kernels(program: str) -> dict:
    run = subprocess.run([program], stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout) if run.stdout else {"ok": False, "error": f"ended with {run.returncode}"}


class Stopped(Exception):
    """A step of building the tests that failed, with its last words."""


def step(command: list[str], deadline: float) -> str:
    try:
        run = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=deadline - time.monotonic()
        )
    except FileNotFoundError:
        raise Stopped(f"{command[0]} is missing") from None
    except (subprocess.TimeoutExpired, ValueError):
        raise Stopped(f"{command[0]}: no time left") from None
    if run.returncode != 0:
        lines = run.stdout.splitlines()
        first = next((i for i, line in enumerate(lines) if "CMake Error" in line or "FAILED" in line), max(0, len(lines) - 6))
        raise Stopped(f"{' '.join(command[:3])}: " + " ".join(" ".join(lines[first : first + 6]).split()))
    return run.stdout


def tests(architecture: str, deadline: float) -> dict:
    """Builds the tests for this device alone: for all devices it takes too long."""
    environment = Path(torch.__file__).parents[4]  # above lib/python3.x/site-packages/torch
    targets = [f"{room}_test" for room in ROOMS]
    settings = [f"-DDUALPATH_VENV={environment}", f"-DCMAKE_CUDA_ARCHITECTURES={architecture}-real"]
    folder = ROOT / "build/bench/gpu/tests"
    try:
        step(["cmake", "--preset", "cuda", "-B", str(folder), *settings], deadline)
        step(["cmake", "--build", str(folder), "--parallel", str(os.cpu_count()), "--target", *targets], deadline)
    except Stopped as stopped:
        return {"built": False, "why": str(stopped)}
    result = {"built": True}
    for room in ROOMS:
        try:
            step([str(folder / f"tests/{room}/{room}_test"), "[cuda]"], deadline)
            result[room] = "passed"
        except Stopped as stopped:
            result[room] = str(stopped)
    return result


def is_right(result: dict) -> bool:
    measured = result["kernels"].get("kernels", {}).values()
    passed = all(result["tests"].get(room, "passed") == "passed" for room in ROOMS)
    return bool(measured) and all(kernel["ok"] for kernel in measured) and result["products"]["exact"] and passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the compiled tools/bench/gpu/kernels.cpp")
    parser.add_argument("--architecture", required=True, help="the device's compute capability, without the dot")
    parser.add_argument("--out", type=Path, help="where the JSON goes instead of stdout")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu: the kernels are built, but there is no CUDA device: nothing was tested or measured")
    begin = time.monotonic()
    result = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "kernels": kernels(arguments.program),
        "products": products(),
        "tests": tests(arguments.architecture, begin + SECONDS),
    }
    result["ok"] = is_right(result)
    result["seconds"] = time.monotonic() - begin
    text = json.dumps(result, indent=2) + "\n"
    if arguments.out:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)
    if not result["tests"]["built"]:
        print(f"gpu: the test programs were not built: {result['tests']['why']}", file=sys.stderr)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
