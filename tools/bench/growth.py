"""Measures how a paired step's cost grows with tokens and with layers: a table, or JSON, and a plot.

  growth.py [--json] [--rounds 5] [--plot docs/growth.svg]      tools/bench/run.sh --growth builds and calls it

Each point has a process of its own, and the points take turns; medians over the rounds, after one that is not counted.
"""

import argparse
import json
import subprocess
from pathlib import Path

import rounds
from growth_plot import save

WINDOWS = {128 * n: (n, 128) for n in (1, 2, 4, 8)}
ONE_WINDOW = {tokens: (1, tokens) for tokens in (128, 256, 512, 1024)}
LAYERS = (8, 15, 30)
SHAPE_OF_LAYERS = (4, 128)
RECIPE = "recipes/quickstart.yaml"


def programs() -> dict[str, dict[int, rounds.Program]]:
    """The programs of each series, by the number that grows: tokens, or layers."""
    result = {}
    for series, shapes in {"windows_of_128": WINDOWS, "one_window": ONE_WINDOW}.items():
        result[series] = {tokens: rounds.ours(f"{series}, {tokens} tokens", shape, "step") for tokens, shape in shapes.items()}
    result["layers"] = {
        layers: rounds.ours(f"{layers} layers", SHAPE_OF_LAYERS, "step", "--layers", str(layers)) for layers in LAYERS
    }
    return result


def point(answers: list[dict]) -> dict:
    return {"step_s": rounds.median(answers, "seconds"), "peak_gb": rounds.median(answers, "peak_bytes") / 1e9}


def measure(count: int) -> dict:
    series = programs()
    answers = rounds.measure("growth", [program for points in series.values() for program in points.values()], count)
    return {
        name: {str(size): point(answers[program.name]) for size, program in points.items()} for name, points in series.items()
    }


def saved_for_backward() -> dict:
    """Bytes a token and layer, as `plan` counts them: kept whole, and with gradient checkpointing."""
    plan = [str(rounds.ROOT / "build/dualpath"), "plan", RECIPE, "--json"]
    run = subprocess.run(plan, cwd=rounds.ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout)["prediction"]["saved_for_backward"]


def table(result: dict) -> str:
    lines = [f"a paired step, SmolLM2-135M, bfloat16, 2 threads; medians of {result['rounds']} rounds"]
    for series, about in {"windows_of_128": "tokens", "one_window": "tokens", "layers": "layers, 4x128 tokens"}.items():
        lines.append(f"  {series}")
        for size, row in result[series].items():
            lines.append(f"  {size:>8} {about:<22}{row['step_s']:>8.3f} s{row['peak_gb']:>8.2f} GB")
    saved = result["saved_for_backward"]
    kept, checkpointed = (saved[key] for key in ("bytes_per_token_and_layer", "with_gradient_checkpointing"))
    lines.append(f"  saved for backward, a token and layer: {kept:.0f} bytes; with gradient_checkpointing {checkpointed:.0f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="counted steps of each point")
    parser.add_argument("--plot", type=Path, default=rounds.ROOT / "docs/growth.svg", help="where the plot goes")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: expected at least 1")
    result = {"rounds": arguments.rounds, **measure(arguments.rounds), "saved_for_backward": saved_for_backward()}
    save(result, arguments.plot)
    print(json.dumps(result, indent=2) if arguments.json else table(result))


if __name__ == "__main__":
    main()
