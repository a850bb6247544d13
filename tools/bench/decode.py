"""One token through four distinct layers of a 9B model's shape: the corrections' share of it."""

from rounds import Program, median, ours

NAME = "decode"


def program() -> Program:
    return ours(NAME, (1, 512), "decode")


def summary(answers: list[dict]) -> dict:
    step, correction = (median(answers, key) for key in ("step_s", "correction_s"))
    return {"step_s": step, "correction_s": correction, "share": correction / step}


def table(result: dict) -> str:
    milliseconds = f"{1e3 * result['step_s']:.2f} ms, of it in corrections {1e3 * result['correction_s']:.3f} ms"
    return f"decode step, 4 layers of a 9B shape, batch 1, cache 512, 2 threads\n  {milliseconds}: {100 * result['share']:.2f} %"
