#!/usr/bin/env python3
"""Measures what many processes win, at the quickstart's model and window: for corrections alone, for all weights, and
for all weights with the optimizer's state divided. Two processes of one thread each stand against twice one process of
one thread with the other core idle. Two processes at once that share nothing show what the machine gives at best.
Prints also the efficiency that a ring would leave to more processes of such cores, from the measured step, the bytes of
the gradients and a stated bandwidth.

  .venv/bin/python tools/bench/processes.py [--steps 6] [--rounds 3] [--json]

Needs build/dualpath and build/assets (tools/quickstart.sh makes both) and two idle cores; about 15 minutes. Each round
runs all settings in turn; medians.
"""

import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import tempfile

PROGRAM = "build/dualpath"
RECIPE = "recipes/quickstart.yaml"
ALL_WEIGHTS = {"corrections": 1e-3, "weights": 2e-5, "norm_weights": 1e-4}
DIVIDED = "all weights, state divided"
TRAINED = {"corrections": {"corrections": 1e-3}, "all weights": ALL_WEIGHTS, DIVIDED: ALL_WEIGHTS}
MODELS = {"SmolLM2-135M": 134_515_008, "1B": 1_000_000_000, "9B": 9_400_279_040}  # parameters
CORRECTIONS = {"SmolLM2-135M": 345_900, "1B": 2_600_000, "9B": 21_700_000}  # 0.26 %, 0.26 %, 0.23 % of them
NETWORKS = {"1 Gbit/s": 0.125e9, "10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9}  # bytes a second, one direction
COUNTS = (2, 4, 8, 16)


class Run:
    """One run that goes on, so that it is calibrated once."""

    def __init__(self, directory: str, trained: str, processes: int):
        self.directory, self.trained, self.processes, self.steps = directory, trained, processes, 0

    def measure(self, steps: int) -> tuple[float, float, float]:
        """Seconds of a step, of these in communication, and the first process's resident bytes."""
        self.steps += steps
        settings = {
            "train.output_dir": self.directory, "train.max_steps": self.steps, "train.control": "false",
            "train.lr_scheduler_type": "constant", "train.report_to": "none", "train.logging_steps": 1,
            "train.save_steps": 1000, "num_threads": 1, "quantize.calibration.num_samples": 4,
            "quantize.smoothing": "null", "train.learning_rate": json.dumps(TRAINED[self.trained]),
            "train.shard_optimizer": json.dumps(self.trained == DIVIDED),
        }
        overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        more = ["--processes", str(self.processes)] if self.processes > 1 else []
        subprocess.run([PROGRAM, "train", RECIPE, *overrides, *more], check=True, capture_output=True)
        lines = [json.loads(line) for line in (pathlib.Path(self.directory) / "log.jsonl").read_text().splitlines()]
        tokens = 512 * self.processes  # two windows of 256 in each process
        # tokens_per_second counts from the start of this process of the run: its first step is not counted.
        first, last = lines[-steps], lines[-1]
        seconds = (steps * tokens / last["tokens_per_second"] - tokens / first["tokens_per_second"]) / (steps - 1)
        communication = (last.get("communication_seconds", 0) - first.get("communication_seconds", 0)) / (steps - 1)
        return seconds, communication, max(line["resident_bytes"] for line in lines)


def measured(steps: int, rounds: int) -> dict:
    seconds = {}
    with tempfile.TemporaryDirectory(dir="build") as directory:
        runs = {(t, n): Run(f"{directory}/{i}-{n}", t, n)
                for i, t in enumerate(TRAINED) for n in (1, 2) if t != DIVIDED or n == 2}
        pairs = {t: [Run(f"{directory}/{i}-apart{n}", t, 1) for n in (1, 2)]
                 for i, t in enumerate(TRAINED) if t != DIVIDED}
        for _ in range(rounds):
            for key, run in runs.items():
                seconds.setdefault(key, []).append(run.measure(steps))
            for trained, pair in pairs.items():
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    both = list(pool.map(lambda run: run.measure(steps), pair))
                seconds.setdefault((trained, "apart"), []).append(max(both))
    median = {key: [statistics.median(each) for each in zip(*rounds_of)] for key, rounds_of in seconds.items()}
    for key in (1, "apart"):  # one process has nothing to divide
        median[DIVIDED, key] = median["all weights", key]
    return {
        trained: {"one": median[trained, 1][0], "apart": median[trained, "apart"][0], "two": median[trained, 2][0],
                  "communication": median[trained, 2][1], "resident_bytes": median[trained, 2][2],
                  "efficiency": median[trained, 1][0] / median[trained, 2][0]}
        for trained in TRAINED
    }


def efficiency(step: float, gradient_bytes: float, bandwidth: float, count: int) -> float:
    """A ring sends 2 (N - 1) / N of the gradients through each link, here after the step's work."""
    return step / (step + 2 * (count - 1) / count * gradient_bytes / bandwidth)


def modelled(step: dict[str, float]) -> list[dict]:
    rows = []
    for trained in ("corrections", "all weights"):
        for model, parameters in MODELS.items():
            elements = CORRECTIONS[model] if trained == "corrections" else parameters
            seconds = step[trained] * parameters / MODELS["SmolLM2-135M"]
            for network, bandwidth in NETWORKS.items():
                rows.append({"trained": trained, "model": model, "network": network,
                             "by_processes": {n: efficiency(seconds, 4 * elements, bandwidth, n) for n in COUNTS}})
    return rows


def print_tables(result: dict) -> None:
    print("| trained | one process, a step | two that share nothing | two, a step of twice the tokens | "
          "of it in communication | two / twice one | memory of each |")
    print("|---|---|---|---|---|---|---|")
    for trained, row in result["measured"].items():
        print(f"| {trained} | {row['one']:.2f} s | {row['apart']:.2f} s | {row['two']:.2f} s | {row['communication']:.3f} s | "
              f"{row['efficiency']:.2f} | {row['resident_bytes'] / 1e9:.2f} GB |")
    print("\n| model, trained | network | " + " | ".join(f"{n} processes" for n in COUNTS) + " |")
    print("|---|---|" + "---|" * len(COUNTS))
    for row in result["modelled"]:
        cells = " | ".join(f"{value:.2f}" for value in row["by_processes"].values())
        print(f"| {row['model']}, {row['trained']} | {row['network']} | {cells} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    table = measured(arguments.steps, arguments.rounds)
    result = {"measured": table, "modelled": modelled({trained: row["one"] for trained, row in table.items()})}
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print_tables(result)


if __name__ == "__main__":
    main()
