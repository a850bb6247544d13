"""Random blocks of every GGUF type we read, and the values that the gguf package reads from them.

Makes in --out:
  version_3.gguf     a tensor for each type, by its name ("Q4_K"), [BLOCKS * elements of a block]: random bytes,
                     the float16 scales and minima replaced by finite ones (zeros, subnormals and the largest among them)
  version_2.gguf     the same with the older version number; the layout did not change
  values.safetensors float32 for each, by gguf.quants.dequantize
"""

import struct

import gguf
import numpy
import torch
from common import parse_arguments, save
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

SEED = 31
BLOCKS = 128
# The places of a block's float16 scales, in bytes.
SCALES = {
    "F32": [], "F16": [0], "BF16": [], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip
EDGES = numpy.array([0.0, -0.0, 2.0**-24, -(2.0**-15), 65504.0, -65504.0], dtype=numpy.float16)


def finite_halves(generator: numpy.random.Generator) -> numpy.ndarray:
    """Makes [BLOCKS] float16: the edges, then random patterns without infinities and NaN."""
    halves = generator.integers(0, 65536, BLOCKS, dtype=numpy.uint16).view(numpy.float16)
    halves = numpy.where(numpy.isfinite(halves), halves, numpy.float16(1))
    halves[: len(EDGES)] = generator.permutation(EDGES)
    return halves


def make_blocks(name: str, generator: numpy.random.Generator) -> numpy.ndarray:
    """Makes [BLOCKS * bytes of a block] uint8."""
    _, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    blocks = generator.integers(0, 256, (BLOCKS, block_bytes), dtype=numpy.uint8)
    for offset in SCALES[name]:
        blocks[:, offset : offset + 2] = finite_halves(generator).view(numpy.uint8).reshape(BLOCKS, 2)
    if name in ("F32", "BF16"):
        blocks[:, -1] &= 0xBF  # exponents below all ones
    return blocks.ravel()


def main() -> None:
    arguments = parse_arguments(__doc__, "the folder to write")
    arguments.out.mkdir(parents=True, exist_ok=True)
    generator = numpy.random.default_rng(SEED)
    path = arguments.out / "version_3.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    values = {}
    for name in SCALES:
        kind = GGMLQuantizationType[name]
        blocks = make_blocks(name, generator)
        writer.add_tensor(name, blocks, raw_dtype=kind)
        values[name] = torch.from_numpy(gguf.quants.dequantize(blocks, kind).copy())
        assert values[name].isfinite().all()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 4, 2)
    (arguments.out / "version_2.gguf").write_bytes(content)
    save(arguments.out / "values.safetensors", values, __file__, seed=SEED)


if __name__ == "__main__":
    main()
