#!/usr/bin/env python3
"""Prints a run's predicted cost beside its measured cost, from its report.json.

    tools/check_prediction.py build/quickstart/report.json

Bytes must be exact (exit 1 otherwise). Memory within 15 % and times within 40 % are marked "ok", others "off": a
machine that is busy with something else moves them. Times of a resumed run are not compared.
"""

import json
import sys


def rows(report):
    predicted, training = report["prediction"], report["training"]
    yield "export bytes", predicted["export_bytes"], report["export"]["weight_bytes"], 0.0
    if predicted["peak_resident_bytes"] is not None:
        yield "peak memory", predicted["peak_resident_bytes"], training["peak_resident_bytes"], 0.15
    if "peak_device_bytes" in predicted:
        yield "GPU memory", predicted["peak_device_bytes"], training["peak_device_bytes"], 0.15
    seconds = predicted["seconds"]
    if seconds is None:  # of blockwise training, which only `plan` measures
        return
    if seconds["calibrate"] > 0:  # 0 without static inputs
        yield "calibrate s", seconds["calibrate"], report["calibration"]["seconds"], 0.40
    for phase in ("train", "control"):
        if phase in training and not training[phase]["resumed_from"]:
            yield f"{phase} s", seconds[phase], training[phase]["seconds"], 0.40
    yield "evaluate s", seconds["evaluate"], report["evaluation"]["seconds"], 0.40


def main(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    exact = True
    print(f"{'':<14}{'predicted':>16}{'measured':>16}{'off by':>9}")
    for name, predicted, measured, tolerance in rows(report):
        error = predicted / measured - 1
        verdict = "ok" if abs(error) <= tolerance else "off"
        exact &= tolerance > 0 or verdict == "ok"
        print(f"{name:<14}{predicted:>16,.0f}{measured:>16,.0f}{error:>9.1%}  {verdict}")
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
