"""The quantized forward with its corrections beside the reference's in bfloat16, the head left out."""

from rounds import Program, median, ours

NAME = "forward"


def program(shape: tuple[int, int]) -> Program:
    return ours(NAME, shape, "forward")


def summary(answers: list[dict]) -> dict:
    """Summarizes one shape."""
    reference, corrected = median(answers, "reference_s"), median(answers, "corrected_s")
    return {"reference_s": reference, "corrected_s": corrected, "ratio": corrected / reference}


def table(result: dict) -> str:
    lines = ["forward, SmolLM2-135M, head left out, bfloat16, 2 threads", f"  {'':<17}{'reference':>12}{'corrected':>12}{'ratio':>8}"]
    for shape, row in result.items():
        lines.append(f"  {shape:<17}{row['reference_s']:>10.4f} s{row['corrected_s']:>10.4f} s{row['ratio']:>8.2f}")
    return "\n".join(lines)
