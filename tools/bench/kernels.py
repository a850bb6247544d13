"""The quantize kernels' throughput over that of a copy that moves the same bytes, from bench_kernels.

Each kernel is repeated in random order; the figures are the medians of the repetitions.
"""

import json
import statistics
import subprocess

from rounds import ROOT, say

NAME = "kernels"
KERNELS = ("quantize_tensor", "quantize_tensor_mask", "quantize_token")
SHAPES = ("512x1536", "2048x13696")
THREADS = (1, 2)


def command(repetitions: int) -> list[str]:
    return [
        str(ROOT / "build/bench_kernels"),
        f"--benchmark_filter=^(copy/)?({'|'.join(KERNELS)})/({'|'.join(SHAPES)})/",
        f"--benchmark_repetitions={repetitions}",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_min_time=0.1",
        "--benchmark_format=json",
    ]


def throughputs(report: dict) -> dict[str, float]:
    """Bytes a second by name."""
    runs = {}
    for run in report["benchmarks"]:
        if run["run_type"] == "iteration":
            runs.setdefault(run["run_name"].removesuffix("/real_time"), []).append(run["bytes_per_second"])
    return {name: statistics.median(speeds) for name, speeds in runs.items()}


def summary(speeds: dict[str, float]) -> dict:
    """Summarizes by KERNEL/SHAPE/threads:N, in the order of the names above."""
    result = {}
    for shape in SHAPES:
        for kernel in KERNELS:
            for name in (f"{kernel}/{shape}/threads:{threads}" for threads in THREADS):
                ours, copy = speeds[name], speeds[f"copy/{name}"]
                result[name] = {"gb_per_s": ours / 1e9, "copy_gb_per_s": copy / 1e9, "ratio": ours / copy}
    return result


def measure(repetitions: int) -> dict:
    say("the quantize kernels and their copies, under a minute")
    run = subprocess.run(command(repetitions), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise SystemExit(f"bench: bench_kernels ended with {run.returncode}")
    return summary(throughputs(json.loads(run.stdout)))


def table(result: dict) -> str:
    lines = ["quantize kernels, bfloat16 in, bytes read and written", f"  {'':<42}{'kernel':>12}{'copy':>12}{'ratio':>8}"]
    for name, row in result.items():
        lines.append(f"  {name:<42}{row['gb_per_s']:>7.1f} GB/s{row['copy_gb_per_s']:>7.1f} GB/s{row['ratio']:>8.2f}")
    return "\n".join(lines)
