#!/usr/bin/env python3
"""Measures the cost of one other busy program, for each way in which OpenMP's threads wait. Times a training step and a
decoded token of the quickstart's model, alone and beside a loop that never sleeps, on the recipe's number of threads.

  .venv/bin/python tools/bench/busy.py [--steps 20] [--rounds 2]

Needs build/dualpath and build/assets (tools/quickstart.sh makes both). Keep the machine otherwise idle; on two cores 10
minutes, most of it libgomp's own way beside the loop. Every round runs all settings in turn; medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAM = "build/dualpath"
RECIPE = "recipes/quickstart.yaml"
# libgomp's own: its default (config/linux/wait.h, env.c of GCC 12).
SETTINGS = {
    "dualpath's": {},
    "libgomp's own": {"GOMP_SPINCOUNT": "300000"},
    "passive": {"OMP_WAIT_POLICY": "passive"},
}
BUSY = [sys.executable, "-c", "while True: pass"]


def run(arguments: list[str], variables: dict[str, str]) -> dict:
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | variables
    result = subprocess.run([PROGRAM, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, check=True,
                            stderr=subprocess.DEVNULL)
    return json.loads(result.stdout)


class Training:
    """One run that goes on, so that it is calibrated once."""

    def __init__(self, directory: str):
        self.directory, self.steps = directory, 0

    def step_seconds(self, steps: int, variables: dict[str, str]) -> float:
        self.steps += steps
        settings = {"train.output_dir": self.directory, "train.max_steps": self.steps, "train.control": "false",
                    "train.lr_scheduler_type": "constant", "train.report_to": "none",
                    "quantize.calibration.num_samples": 4, "quantize.smoothing": "null"}
        overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        train = run(["train", RECIPE, *overrides], variables)["train"]
        return train["seconds"] / (train["steps"] - train["resumed_from"])


def token_seconds(tokens: int, variables: dict[str, str]) -> float:
    said = run(["generate", RECIPE, "--row", "fp", "--prompt", "A package is", "--max-tokens", str(tokens)], variables)
    return 1 / said["rows"]["fp"]["tokens_per_second"]


def measure(steps: int, rounds: int) -> dict:
    seconds = {}
    with tempfile.TemporaryDirectory(dir="build") as directory:
        training = Training(f"{directory}/run")
        for _ in range(rounds):
            for load in ("alone", "beside"):
                busy = subprocess.Popen(BUSY) if load == "beside" else None
                for name, variables in SETTINGS.items():
                    few = load == "beside" and name == "libgomp's own"  # a step takes many seconds
                    step = training.step_seconds(max(2, steps // 6) if few else steps, variables)
                    token = token_seconds(4 if few else 48, variables)
                    seconds.setdefault((name, load), []).append((step, token))
                if busy:
                    busy.kill()
                    busy.wait()
    return {key: [statistics.median(column) for column in zip(*values)] for key, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    medians = measure(options.steps, options.rounds)
    print("| threads wait | step alone | beside | ratio | token alone | beside | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in SETTINGS:
        (step, token), (slow_step, slow_token) = medians[name, "alone"], medians[name, "beside"]
        print(f"| {name} | {step:.2f} s | {slow_step:.2f} s | {slow_step / step:.1f} | {1000 * token:.0f} ms | "
              f"{1000 * slow_token:.0f} ms | {slow_token / token:.1f} |")


if __name__ == "__main__":
    main()
