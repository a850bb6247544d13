"""The work of tools/bench/big_model.sh, which sets up and builds before it."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import random_model

RECIPE = "recipes/quickstart.yaml"
COMMANDS = ("calibrate", "train", "evaluate", "export")
# config.json of zai-org/GLM-4-9B-0414.
GLM_4_9B = {"hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40, "num_attention_heads": 32,
            "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 151552, "tie_word_embeddings": False}


def settings_of(arguments: argparse.Namespace, folder: Path, model: Path) -> list[str]:
    settings = {
        "model.path": model, "train.output_dir": folder / "run", "export.output_dir": folder / "export",
        "train.strategy": "blockwise", "memory_limit": arguments.memory_limit, "train.max_steps": arguments.steps,
        "train.per_device_train_batch_size": 1, "train.report_to": "none", "train.control": "false",
        "quantize.smoothing": "{strength: 0.5}", "quantize.calibration.num_samples": arguments.windows,
        "quantize.config_groups.decoder.weights.num_bits": arguments.bits, "evaluate.num_tokens": arguments.tokens,
    }
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def run(command: str, settings: list[str]) -> tuple[int, float]:
    """Peak resident bytes and seconds of one command, whose progress goes to stderr."""
    begin = time.monotonic()
    process = subprocess.Popen(["build/dualpath", command, RECIPE, *settings], stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{command} failed")
    return usage.ru_maxrss * 1024, time.monotonic() - begin


def measure(arguments: argparse.Namespace) -> dict:
    folder = Path("build/big_model") / f"{arguments.layers}-layers-W{arguments.bits}"
    sizes = {**GLM_4_9B, "num_hidden_layers": arguments.layers}
    model = random_model.write(folder / "model", sizes, kind="glm4")
    settings = settings_of(arguments, folder, model)
    restart = [] if arguments.resume else ["--restart"]
    plan = json.loads(subprocess.run(["build/dualpath", "plan", RECIPE, *settings, "--json"], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout)
    costs = {command: run(command, settings + (restart if command == "calibrate" else [])) for command in COMMANDS}
    return {"parameters": plan["parameters"]["model"], "bytes": plan["bytes"], "predicted": plan["predicted"],
            "predicted_seconds": plan["prediction"]["seconds"],
            "exported_bytes": (folder / "export/model.safetensors").stat().st_size,
            "measured": {command: {"peak_bytes": peak, "seconds": seconds} for command, (peak, seconds) in costs.items()}}


def table(found: dict) -> str:
    fp, quantized = found["bytes"]["fp"], found["exported_bytes"]
    lines = [f"{found['parameters'] / 1e9:.2f}B parameters; {fp / 1e9:.1f} -> {quantized / 1e9:.1f} GB",
             f"train is predicted to take {found['predicted']['peak_memory_bytes'] / 1e9:.2f} GB blockwise and "
             f"{found['predicted']['end_to_end_bytes'] / 1e9:.1f} GB end to end", "",
             "| command | peak memory | seconds | predicted |", "|---|---|---|---|"]
    for command, cost in found["measured"].items():
        seconds = found["predicted_seconds"].get(command)
        lines.append(f"| {command} | {cost['peak_bytes'] / 1e9:.2f} GB | {cost['seconds']:.0f} | "
                     f"{'–' if seconds is None else f'{seconds:.0f}'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=GLM_4_9B["num_hidden_layers"])
    parser.add_argument("--bits", type=int, default=8, help="of weights (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="of each block (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=32, help="of 256 tokens, to calibrate on (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=4096, help="scored in each set (default: %(default)s)")
    parser.add_argument("--memory-limit", default="8GB")
    parser.add_argument("--resume", action="store_true", help="go on with the run that was stopped")
    parser.add_argument("--json", action="store_true", help="print for programs")
    arguments = parser.parse_args()
    found = measure(arguments)
    print(json.dumps(found, indent=2) if arguments.json else table(found))


if __name__ == "__main__":
    main()
