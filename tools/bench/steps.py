"""The cost of an optimizer step, ours beside the peers'.

Compare like with like: a step that trains all weights with one that does, corrections with LoRA.
"""

import sys
from dataclasses import dataclass

from rounds import ROOT, Program, median, ours

GGUF = ROOT / "build/assets/smollm2-135m-instruct.gguf"
SHAPES = {"4x128": (4, 128), "2x512": (2, 512)}
PAIRED, FULL = "dualpath_paired", "dualpath_full"


@dataclass
class About:
    scheme: str
    trained: str
    dtype: str
    loss: str
    all_weights: bool

    def __str__(self) -> str:
        return f"{self.scheme:<28}{self.trained:<23}{self.dtype:<23}{self.loss}"


MIXED, PURE = "bf16, trained in fp32", "bf16"
STATIC, TOKEN = "W8A8 static, integer", "W8A8 per token, simulated"
ROWS = {
    PAIRED: About(STATIC, "345 900 (corrections)", MIXED, "KL + distance", all_weights=False),
    FULL: About(STATIC, "135 M + corrections", MIXED, "KL + distance", all_weights=True),
    "fine_tune": About("none", "135 M", PURE, "CE", all_weights=True),
    "fine_tune_lora": About("none", "305 280 (LoRA)", PURE, "CE", all_weights=False),
    "torchao": About(TOKEN, "135 M", PURE, "CE", all_weights=True),
    "torchao_lora": About(TOKEN, "305 280 (LoRA)", PURE, "CE", all_weights=False),
    "torchao_compiled": About(TOKEN, "135 M", PURE, "CE", all_weights=True),
    "brevitas": About("W8A8 per tensor, simulated", "135 M", PURE, "CE", all_weights=True),
}


def program(name: str, shape: tuple[int, int]) -> Program:
    if name == PAIRED:
        return ours(name, shape, "step")
    if name == FULL:
        return ours(name, shape, "step", "--set", "train.learning_rate.weights=1e-5")
    peer = [sys.executable, "-W", "ignore", str(ROOT / "tools/bench/peer_step.py"), name, str(GGUF)]
    return Program(name, peer, *shape, releases=True)


def is_compared(our: str, peer: str) -> bool:
    return peer not in (PAIRED, FULL) and (our == PAIRED or ROWS[peer].all_weights)


def ratios(row: dict, unit: str) -> dict:
    """The ratios "ours/peer" of all that was measured: seconds by seconds or bytes by bytes."""
    names = [name for name in ROWS if f"{name}_{unit}" in row]
    pairs = [(our, peer) for our in (PAIRED, FULL) if our in names for peer in names if is_compared(our, peer)]
    return {f"{our}/{peer}": row[f"{our}_{unit}"] / row[f"{peer}_{unit}"] for our, peer in pairs}


def summary(answers: dict[str, list[dict]]) -> dict:
    """Summarizes one shape."""
    row = {}
    for name in ROWS:
        if name in answers:
            row[f"{name}_s"] = median(answers[name], "seconds")
            row[f"{name}_gb"] = median(answers[name], "peak_bytes") / 1e9
    return {**row, "ratios_s": ratios(row, "s"), "ratios_gb": ratios(row, "gb")}


def cells(row: dict, name: str, unit: str, width: int, digits: int) -> str:
    """A row's own value, and the ratios of paired and full to it."""
    found = [row[f"ratios_{unit}"].get(f"{our}/{name}") for our in (PAIRED, FULL)]
    shares = "".join(f"{'-' if ratio is None else f'{ratio:.2f}':>8}" for ratio in found)
    return f"{row[f'{name}_{unit}']:>{width}.{digits}f}{shares}"


def table(result: dict) -> str:
    lines = []
    for shape, row in result.items():
        lines.append(f"one optimizer step, {shape} tokens, 2 threads")
        lines.append(f"  {'':<17}{'s':>8}{'paired':>8}{'full':>8}{'peak GB':>11}{'paired':>8}{'full':>8}"
                     f"   {'scheme':<28}{'trained':<23}{'dtype':<23}loss")
        for name, about in ROWS.items():
            if f"{name}_s" in row:
                lines.append(f"  {name:<17}{cells(row, name, 's', 8, 3)}{cells(row, name, 'gb', 11, 2)}   {about}")
        lines.append("")
    lines.append("  paired, full: dualpath_paired's and dualpath_full's figure over the row's. Full stands beside all")
    lines.append("  weights, paired trains as much as LoRA does; both run the float model, too, and take the KL to it.")
    return "\n".join(lines)
