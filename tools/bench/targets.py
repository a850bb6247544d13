"""The figures DualPath is to reach, each beside what this run measured."""

import kernels
import towers

# figure, ours/peer, section of ratios, must, goal
STEPS = [
    ("paired step / torchao INT8 QAT step", "dualpath_paired/torchao", "ratios_s", 0.33, 0.25),
    ("paired step / torchao QAT + LoRA step", "dualpath_paired/torchao_lora", "ratios_s", 0.50, 0.40),
    ("paired step / plain fine-tuning step", "dualpath_paired/fine_tune", "ratios_s", 0.50, 0.40),
    ("paired, all weights / torchao INT8 QAT step", "dualpath_full/torchao", "ratios_s", 0.75, 0.60),
    ("peak memory, paired / torchao INT8 QAT", "dualpath_paired/torchao", "ratios_gb", 0.45, 0.35),
]


def verdict(value: float, must: float, goal: float) -> str:
    """A must above its goal is a ceiling, one below it a floor."""
    sign = 1 if must > goal else -1
    if sign * value > sign * must:
        return "must not reached"
    return "reached" if sign * value <= sign * goal else "goal not reached"


def entry(figure: str, at: str, value: float, must: float, goal: float) -> dict:
    return {"figure": figure, "at": at, "value": value, "must": must, "goal": goal, "verdict": verdict(value, must, goal)}


def of_steps(result: dict) -> list[dict]:
    return [
        entry(figure, shape, row[section][pair], must, goal)
        for figure, pair, section, must, goal in STEPS
        for shape, row in result.items()
        if pair in row[section]
    ]


def of_kernels(result: dict) -> list[dict]:
    """The lower of the threads' ratios stands for a kernel."""
    lowest = {}
    for name, row in result.items():
        kernel = name.rpartition("/")[0]
        lowest[kernel] = min(row["ratio"], lowest.get(kernel, row["ratio"]))
    return [entry(f"{kernel.partition('/')[0]} / copy", kernel.partition("/")[2], ratio, 0.6, 0.8) for kernel, ratio in lowest.items()]


def of_forward(result: dict) -> list[dict]:
    figure = "quantized forward with corrections / bf16 forward"
    return [entry(figure, shape, row["ratio"], 0.9, 0.7) for shape, row in result.items()]


def of_decode(result: dict) -> list[dict]:
    return [entry("corrections' share of a decode step", "9B, batch 1", result["share"], 0.03, 0.02)]


def of_towers(result: dict) -> list[dict]:
    pair = f"{towers.PAIRED}/torchao"
    return [entry("paired step / torchao INT8 QAT step", tower, row["ratios_s"][pair], 0.5, 0.33) for tower, row in result.items()]


def summary(result: dict) -> list[dict]:
    """Summarizes the figures; those not measured in this run are left out."""
    parts = {"qat_step": of_steps, kernels.NAME: of_kernels, "forward": of_forward, "decode": of_decode, towers.NAME: of_towers}
    return [row for name, of in parts.items() if name in result for row in of(result[name])]


def table(rows: list[dict]) -> str:
    lines = ["figures to reach", f"  {'':<52}{'at':<13}{'value':>8}{'must':>9}{'goal':>9}"]
    for row in rows:
        sign = "≤" if row["must"] > row["goal"] else "≥"
        bounds = "".join(f"{f'{sign} {row[key]:.2f}':>9}" for key in ("must", "goal"))
        lines.append(f"  {row['figure']:<52}{row['at']:<13}{row['value']:>8.3f}{bounds}  {row['verdict']}")
    return "\n".join(lines)
