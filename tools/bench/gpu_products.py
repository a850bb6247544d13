"""Integer products on CUDA beside bfloat16's, by torch alone."""

import statistics

import torch
from commands import left

# tokens, in, out: SmolLM2-135M and a 9B model
PRODUCTS = [(1024, 576, 1536), (2048, 4096, 4096), (2048, 4096, 13696), (2048, 13696, 4096), (32, 4096, 13696)]


def seconds_of(launch) -> float:
    """Times one launch: the median of some runs of many launches, after one run that does not count."""
    runs, launches, seconds = 9, 20, []
    for run in range(runs + 1):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(launches):
            launch()
        end.record()
        end.synchronize()
        if run > 0:
            seconds.append(begin.elapsed_time(end) / launches / 1000)
    return statistics.median(seconds)


def is_exact() -> bool:
    """Whether torch._int_mm's sums are the integers', codes at their ends among them."""
    for k in (16, 1536, 16384):
        a = torch.randint(-128, 128, (33, k), dtype=torch.int8, device="cuda")
        b = torch.randint(-127, 128, (24, k), dtype=torch.int8, device="cuda")
        a[0], a[1], b[0], b[1] = -128, 127, -127, 127
        # The host's int64: the device has no such product, and float32 would round.
        if not torch.equal(torch._int_mm(a, b.t()).cpu().long(), a.cpu().long() @ b.cpu().long().t()):
            return False
    return True


def measure(deadline: float) -> dict:
    result = {"ok": is_exact()}
    for tokens, inner, outer in PRODUCTS:
        left(deadline)
        a = torch.randint(-128, 128, (tokens, inner), dtype=torch.int8, device="cuda")
        b = torch.randint(-127, 128, (outer, inner), dtype=torch.int8, device="cuda")
        x, weight = a.bfloat16(), b.bfloat16()
        int8, bfloat16 = seconds_of(lambda: torch._int_mm(a, b.t())), seconds_of(lambda: x @ weight.t())
        result[f"{tokens}x{inner}x{outer}"] = {
            "int8_s": int8,
            "bfloat16_s": bfloat16,
            "int8_tops": 2e-12 * tokens * inner * outer / int8,
            "ratio": int8 / bfloat16,
        }
    return result
