"""Writes safetensors files without the library: tools/setup.sh without --tests does not install it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tensor:
    dtype: str  # "F16", "F32": safetensors' word
    shape: tuple[int, ...]
    data: bytes | memoryview  # little-endian, row by row


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    header, offset = {}, 0
    for name, tensor in tensors.items():
        end = offset + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.data)
