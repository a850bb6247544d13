"""Codes of ONNX Runtime's QuantizeLinear: int8, zero point 0, saturating to [-128, 127].

Makes --out, a safetensors file:
  patterns.scales   [S] float32      powers of two, odd ones, tiny ones (one is subnormal) and huge ones
  patterns.codes    [S, 65536] int8  [s, p]: code of bfloat16 bit pattern p widened to float32; 0 where p is not finite
  neighbours.x      [S, 771] float32 each tie (k + 1/2) * scale for k = -129..127, the float32 before it and the one after
  neighbours.codes  [S, 771] int8
  weight.x          [16, 64] float32 row 0 is all zero, rows 1-5 hold ties of their own scale, row 15 is subnormal
  weight.scales     [16] float32     absmax / 127; 1 for the row of zeros
  weight.codes      [16, 64] int8    per channel (axis 0)
Checked here: the codes equal numpy's rint(x / scale) saturated.
"""

import numpy
import onnxruntime
import torch
from common import NUM_THREADS, parse_arguments, save
from onnx_model import quantize_linear_model

SEED = 21
SCALES = [1.0, 2.0**-7, 2.0**5, 1 / 127, 0.1, 0.0371, 3.0, 1e-30, 2.0**-126, 2.0**-140, 1e30, 2.0**120]


def quantize(x: numpy.ndarray, scale: numpy.ndarray) -> numpy.ndarray:
    """Quantizes x float32 by scale [] or [rows of x] float32. Returns int8 of x's shape."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = NUM_THREADS
    session = onnxruntime.InferenceSession(quantize_linear_model(), options, providers=["CPUExecutionProvider"])
    zero_point = numpy.zeros_like(scale, dtype=numpy.int8)
    (codes,) = session.run(None, {"x": x, "scale": scale, "zero_point": zero_point})
    with numpy.errstate(over="ignore"):
        levels = numpy.rint(x / (scale if scale.ndim == 0 else scale[:, None]))
    assert numpy.array_equal(codes, numpy.clip(levels, -128, 127).astype(numpy.int8))
    return codes


def bfloat16_patterns() -> numpy.ndarray:
    """All patterns as [65536] float32; 0 for those that are not finite."""
    x = (numpy.arange(65536, dtype=numpy.uint32) << 16).view(numpy.float32)
    return numpy.where(numpy.isfinite(x), x, numpy.float32(0))


def ties_and_neighbours(scale: numpy.float32) -> numpy.ndarray:
    ties = ((numpy.arange(-129, 128) + 0.5) * numpy.float64(scale)).astype(numpy.float32)
    infinity = numpy.float32(numpy.inf)
    return numpy.stack([numpy.nextafter(ties, -infinity), ties, numpy.nextafter(ties, infinity)], axis=1).ravel()


def make_weight() -> numpy.ndarray:
    weight = numpy.random.default_rng(SEED).normal(size=(16, 64)).astype(numpy.float32)
    weight[0] = 0
    for row in range(1, 6):  # absmax 127 * 2^k: the scale is 2^k, and halves of it are ties
        weight[row] = (numpy.arange(64) - 32 + 0.5) * 2.0 ** (row - 4)
        weight[row, 7] = 127 * 2.0 ** (row - 4) * (-1) ** row
    weight[15] *= numpy.float32(2.0**-130)
    return weight


def scale_per_row(weight: numpy.ndarray) -> numpy.ndarray:
    absmax = numpy.abs(weight).max(axis=1)
    return numpy.where(absmax > 0, absmax / numpy.float32(127), numpy.float32(1))


def main() -> None:
    arguments = parse_arguments(__doc__, "the safetensors file to write")
    scales = numpy.array(SCALES, dtype=numpy.float32)
    patterns = bfloat16_patterns()
    neighbours = numpy.stack([ties_and_neighbours(scale) for scale in scales])
    weight = make_weight()
    weight_scales = scale_per_row(weight)
    arrays = {
        "patterns.scales": scales,
        "patterns.codes": numpy.stack([quantize(patterns, scale) for scale in map(numpy.asarray, scales)]),
        "neighbours.x": neighbours,
        "neighbours.codes": numpy.stack([quantize(x, scale) for x, scale in zip(neighbours, map(numpy.asarray, scales))]),
        "weight.x": weight,
        "weight.scales": weight_scales,
        "weight.codes": quantize(weight, weight_scales),
    }
    save(arguments.out, {name: torch.from_numpy(array) for name, array in arrays.items()}, __file__, seed=SEED)


if __name__ == "__main__":
    main()
