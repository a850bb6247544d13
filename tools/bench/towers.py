"""A paired step of an encoder alone, beside the peers' steps of the same network."""

import sys

from rounds import ROOT, Program, median, ours

NAME = "towers"
# tower -> batch and size: pixels a side, or frames (4 s at 100 a second)
SHAPES = {"vit": (8, 224), "conformer": (8, 400), "whisper": (2, 3000)}
ABOUT = {
    "vit": "ViT-B/16, 8 images of 224x224",
    "conformer": "Conformer, 17 layers of 512, kernel 31, 8 clips of 4 s",
    "whisper": "Whisper tiny's encoder, 2 clips of 30 s",
}
PEERS = ("fine_tune", "torchao")
PAIRED = "dualpath_paired"


def programs(tower: str) -> list[Program]:
    shape = SHAPES[tower]
    script = str(ROOT / "tools/bench/tower_step.py")
    peers = [Program(peer, [sys.executable, "-W", "ignore", script, tower, peer], *shape, releases=True) for peer in PEERS]
    return [ours(PAIRED, shape, tower), *peers]


def summary(answers: dict[str, list[dict]]) -> dict:
    """Summarizes one tower."""
    row = {f"{name}_s": median(answers[name], "seconds") for name in (PAIRED, *PEERS)}
    row |= {f"{name}_gb": median(answers[name], "peak_bytes") / 1e9 for name in (PAIRED, *PEERS)}
    row["ratios_s"] = {f"{PAIRED}/{peer}": row[f"{PAIRED}_s"] / row[f"{peer}_s"] for peer in PEERS}
    return row


def table(result: dict) -> str:
    lines = []
    for tower, row in result.items():
        lines.append(f"one optimizer step, {ABOUT[tower]}, bf16, 2 threads")
        lines.append(f"  {'':<17}{'s':>8}{'paired':>8}{'peak GB':>11}")
        for name in (PAIRED, *PEERS):
            ratio = row["ratios_s"].get(f"{PAIRED}/{name}")
            share = "-" if ratio is None else f"{ratio:.2f}"
            lines.append(f"  {name:<17}{row[f'{name}_s']:>8.3f}{share:>8}{row[f'{name}_gb']:>11.2f}")
    lines.append("  paired: its seconds over the row's. It trains corrections by the distances of all layers, the peers all weights.")
    return "\n".join(lines)
