"""Measures what training and inference cost, ours beside the peers': ratios from one run, everything in turn.

  run.py [--json] [--rounds 5] [--only NAME…]         tools/bench/run.sh builds what it needs and calls it

For each shape every program is started once and stays; a round asks each in turn, so that what disturbs the machine
disturbs all. Of its two answers a turn (three, where it has handed its memory back) the last counts. Printed: medians over the rounds, after one round that is not counted.
"""

import argparse
import json

import decode
import forward
import kernels
import rounds
import steps
import targets
import towers

PARTS = {"qat_step": steps, forward.NAME: forward, decode.NAME: decode, towers.NAME: towers, kernels.NAME: kernels, "targets": targets}


def measure_shapes(wanted: set[str], count: int, result: dict) -> None:
    """Measures steps and forward, shape by shape."""
    for shape, sizes in steps.SHAPES.items():
        programs = [steps.program(name, sizes) for name in steps.ROWS if name in wanted]
        if forward.NAME in wanted:
            programs.append(forward.program(sizes))
        answers = rounds.measure(shape, programs, count) if programs else {}
        if steps.PAIRED in answers:
            result.setdefault("qat_step", {})[shape] = steps.summary(answers)
        if forward.NAME in answers:
            result.setdefault(forward.NAME, {})[shape] = forward.summary(answers[forward.NAME])


def run(wanted: set[str], count: int) -> dict:
    """Runs the parts. A peer's step is always measured beside our paired one, asked for or not."""
    if wanted & set(steps.ROWS):
        wanted = wanted | {steps.PAIRED}
    result = {"rounds": count}
    measure_shapes(wanted, count, result)
    if decode.NAME in wanted:
        answers = rounds.measure(decode.NAME, [decode.program()], count)
        result[decode.NAME] = decode.summary(answers[decode.NAME])
    if towers.NAME in wanted:
        answers = {tower: rounds.measure(tower, towers.programs(tower), count) for tower in towers.SHAPES}
        result[towers.NAME] = {tower: towers.summary(answer) for tower, answer in answers.items()}
    if kernels.NAME in wanted:
        result[kernels.NAME] = kernels.measure(count)
    result["targets"] = targets.summary(result)
    return result


def table(result: dict) -> str:
    texts = [part.table(result[name]) for name, part in PARTS.items() if result.get(name)]
    return "\n\n".join([*texts, f"medians of {result['rounds']} rounds after one that is not counted"])


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    everything = [*steps.ROWS, forward.NAME, decode.NAME, towers.NAME, kernels.NAME]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="counted runs of each program and shape")
    parser.add_argument("--only", nargs="+", choices=everything, default=everything, metavar="NAME", help=", ".join(everything))
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: expected at least 1")
    result = run(set(arguments.only), arguments.rounds)
    print(json.dumps(rounded(result), indent=2) if arguments.json else table(result))


if __name__ == "__main__":
    main()
