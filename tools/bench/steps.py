"""What an optimizer step costs, ours beside the peers': ratios from one run, the steps interleaved.

  steps.py [--json] [--only NAME…] [--rounds 5]       tools/bench/run.sh builds what it needs and calls it

Each program is started once and stays; a round asks each for one step of each shape, so that what disturbs the machine
disturbs all. Printed: medians over the rounds, after one round that is not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GGUF = ROOT / "build/assets/smollm2-135m-instruct.gguf"
SHAPES = {"4x128": (4, 128), "2x512": (2, 512)}
OURS = "dualpath_paired"
# name -> scheme, what is trained, loss
PROGRAMS = {
    OURS: ("W8A8 static, integer", "corrections, 345 900", "KL + distance"),
    "fine_tune": ("none", "all weights, 135 M", "CE"),
    "fine_tune_lora": ("none", "LoRA, 305 280", "CE"),
    "torchao": ("W8A8 per token, simulated", "all weights, 135 M", "CE"),
    "torchao_lora": ("W8A8 per token, simulated", "LoRA, 305 280", "CE"),
    "torchao_compiled": ("W8A8 per token, simulated", "all weights, 135 M", "CE"),
    "brevitas": ("W8A8 per tensor, simulated", "all weights, 135 M", "CE"),
}


def start(name: str) -> subprocess.Popen:
    peer = [sys.executable, "-W", "ignore", str(ROOT / "tools/bench/peer_step.py"), name, str(GGUF)]
    ours = [str(ROOT / "build/bench_step"), str(ROOT / "recipes/quickstart.yaml")]
    command = ours if name == OURS else peer
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(name: str, program: subprocess.Popen, shape: tuple[int, int]) -> dict:
    program.stdin.write(f"{shape[0]} {shape[1]}\n")
    program.stdin.flush()
    answer = program.stdout.readline()
    if not answer:
        raise SystemExit(f"steps: {name} stopped with {program.wait()}")
    return json.loads(answer)


def measure(names: list[str], rounds: int) -> dict:
    programs = {name: start(name) for name in names}
    answers = {shape: {name: [] for name in names} for shape in SHAPES}
    for number in range(rounds + 1):
        for name, program in programs.items():
            for shape, sizes in SHAPES.items():
                answer = ask(name, program, sizes)
                if number > 0:
                    answers[shape][name].append(answer)
        print(f"steps: round {number} of {rounds}", file=sys.stderr, flush=True)
    for program in programs.values():
        program.stdin.close()
        program.wait()
    return answers


def summary(answers: dict) -> dict:
    result = {}
    for shape, by_name in answers.items():
        row = result.setdefault(shape, {})
        for name, steps in by_name.items():
            row[f"{name}_s"] = round(statistics.median(step["seconds"] for step in steps), 4)
            row[f"{name}_gb"] = round(statistics.median(step["peak_bytes"] for step in steps) / 1e9, 3)
    return result


def table(result: dict, names: list[str]) -> str:
    lines = []
    for shape, row in result.items():
        lines.append(f"one optimizer step, {shape} tokens, bfloat16, 2 threads")
        lines.append(f"  {'':<18}{'step':>9}{'ratio':>8}{'peak':>10}{'ratio':>8}  scheme; trained; loss")
        for name in names:
            seconds, peak = row[f"{name}_s"], row[f"{name}_gb"]
            times, memory = row[f"{OURS}_s"] / seconds, row[f"{OURS}_gb"] / peak
            about = "; ".join(PROGRAMS[name])
            lines.append(f"  {name:<18}{seconds:>7.3f} s{times:>8.2f}{peak:>7.2f} GB{memory:>8.2f}  {about}")
        lines.append("")
    lines.append(f"ratio: {OURS} / the row's. Corrections and LoRA train parts of a model, the others all of it.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="counted steps of each program and shape")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), help="these programs")
    arguments = parser.parse_args()
    names = [name for name in PROGRAMS if name == OURS or name in arguments.only]
    result = summary(measure(names, arguments.rounds))
    print(json.dumps({"qat_step": result}, indent=2) if arguments.json else table(result, names))


if __name__ == "__main__":
    main()
