"""Codes of few bits packed into words by compressed-tensors.

Makes --out, a safetensors file, for each number of bits B in BITS and odd shapes:
  codes.B    [41, 77] int8    random codes of B bits, their ends among them
  packed.B   [41, W] int32    rows packed: `weight_packed`
  columns.B  [V, 77] int32    columns packed: `weight_zero_point`
Checked here: the library's own unpacking gives the codes back.
"""

import torch
from common import parse_arguments, save
from compressed_tensors.compressors.pack_quantized import pack_to_int32, unpack_from_int32

BITS = (3, 4, 6, 8)
SHAPE = (41, 77)  # with 5 rows, whose 4-bit columns take one word, 0.20 cannot unpack the columns


def main() -> None:
    arguments = parse_arguments(__doc__, "the safetensors file")
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for bits in BITS:
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        codes = torch.randint(low, high + 1, SHAPE, generator=generator, dtype=torch.int8)
        codes[0, :2] = torch.tensor([low, high])
        packed, columns = (pack_to_int32(codes, bits, dim) for dim in (1, 0))
        assert torch.equal(unpack_from_int32(packed, bits, codes.shape, 1), codes)
        assert torch.equal(unpack_from_int32(columns, bits, codes.shape, 0), codes)
        tensors |= {f"codes.{bits}": codes, f"packed.{bits}": packed, f"columns.{bits}": columns}
    save(arguments.out, tensors, __file__)


if __name__ == "__main__":
    main()
