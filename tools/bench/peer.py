"""Parts that the peers' steps share: torchao's quantization-aware training, and answering rounds.py."""

import ctypes
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

torch.set_num_threads(2)
torch.manual_seed(0)


def with_torchao(model: torch.nn.Module, is_quantized: Callable[[str], bool] = lambda name: True) -> None:
    """INT8 QAT of the linears whose names are wanted: weights per channel, inputs per token (in training it has no static ones)."""
    from torchao.quantization import quantize_
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

    inputs = IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False)
    weights = IntxFakeQuantizeConfig(torch.int8, "per_channel", is_symmetric=True)
    config = QATConfig(activation_config=inputs, weight_config=weights, step="prepare")
    quantize_(model, config, filter_fn=lambda module, name: isinstance(module, torch.nn.Linear) and is_quantized(name))


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def timed(step: Callable[[int, int], None], batch: int, size: int) -> dict:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = time.perf_counter()
    step(batch, size)
    return {"seconds": time.perf_counter() - start, "peak_bytes": peak_bytes()}


def timed_on_gpu(step: Callable[[int, int], None], batch: int, size: int) -> dict:
    """Times from idle to idle; the peak is what tensors hold."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    step(batch, size)
    torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - start, "peak_bytes": torch.cuda.max_memory_allocated()}


def serve(step: Callable[[int, int], None], device: str = "cpu") -> None:
    """Runs a step for each line "BATCH SIZE" of stdin, and answers with a line {"seconds": …, "peak_bytes": …} of JSON.

    For a line "release" it hands freed memory back, so that the others have room, and answers {}.
    """
    for line in sys.stdin:
        answer = {}
        if line.strip() == "release":
            ctypes.CDLL(None).malloc_trim(0)
            torch.cuda.empty_cache()
        else:
            answer = (timed if device == "cpu" else timed_on_gpu)(step, *map(int, line.split()))
        print(json.dumps(answer), flush=True)
