"""The plot of growth.py: equal results give equal bytes."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "dualpath", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})
import matplotlib.pyplot as plt  # noqa: E402

# series -> name, colour, marker, line: any of the last three tells them apart
TOKENS = {
    "windows_of_128": ("windows of 128 tokens", "#0060a8", "o", "-"),
    "one_window": ("one window", "#c04000", "s", "--"),
}
LAYERS = {"layers": ("4×128 tokens", "#0060a8", "o", "-")}
VALUES = {"step_s": "step (s)", "peak_gb": "peak memory (GB)"}


def draw(axes, result: dict, series: dict, value: str, grows: str) -> None:
    for name, (label, colour, marker, line) in series.items():
        sizes = [int(size) for size in result[name]]
        heights = [row[value] for row in result[name].values()]
        axes.plot(sizes, heights, color=colour, marker=marker, linestyle=line, label=label)
        axes.set_xticks(sizes)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(grows)
    axes.set_ylabel(VALUES[value])
    axes.legend(loc="upper left")


def save(result: dict, path: Path) -> None:
    figure, grid = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for row, value in zip(grid, VALUES):
        draw(row[0], result, TOKENS, value, "tokens a step")
        draw(row[1], result, LAYERS, value, "layers")
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
