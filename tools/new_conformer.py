#!/usr/bin/env python3
"""Makes a speech tower of random weights: a Conformer in the form of transformers' ParakeetEncoder, with its feature extractor.

  tools/new_conformer.py --out DIR [--hidden 144] [--layers 6] [--heads 4] [--kernel 15] [--subsampling 4] [--channels 64] [--seed 0]

Example:
  tools/new_conformer.py --out build/conformer
  tools/compose_model.py --decoder build/smollm2 --audio build/conformer --audio-token '<gh_stars>' --out build/smollm2-ears

It hears 80 mel bands at 16 kHz, a frame each 10 ms, of which `subsampling` become one. It knows nothing yet:
recipes/own_conformer.yaml trains it by CTC. Its batch norms are affine maps of the statistics that the file holds (mean 0,
variance 1), and stay so in training. Standard library only.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import random
import shutil
import sys
import tempfile
from pathlib import Path

import safetensors_file
from safetensors_file import Tensor

MEL_BANDS = 80
STRIDE = 2
SUBSAMPLING_KERNEL = 3
FEED_FORWARD_RATIO = 4


class Weights:
    """Tensors of a network whose linears and convolutions start with a deviation of 1/sqrt(inputs)."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.tensors: dict[str, Tensor] = {}

    def fill(self, name: str, shape: tuple[int, ...], value: float) -> None:
        self.tensors[name] = Tensor("F32", shape, array.array("f", [value] * math.prod(shape)).tobytes())

    def normal(self, name: str, shape: tuple[int, ...], deviation: float) -> None:
        values = array.array("f", (self.random.gauss(0, deviation) for _ in range(math.prod(shape))))
        self.tensors[name] = Tensor("F32", shape, values.tobytes())

    def linear(self, name: str, outputs: int, inputs: int, kernel: tuple[int, ...] = (), bias: bool = True) -> None:
        """A linear, or a convolution that reads `inputs` channels."""
        shape = (outputs, inputs, *kernel)
        self.normal(f"{name}.weight", shape, math.prod(shape[1:]) ** -0.5)
        if bias:
            self.fill(f"{name}.bias", (outputs,), 0.0)

    def norm(self, name: str, width: int) -> None:
        self.fill(f"{name}.weight", (width,), 1.0)
        self.fill(f"{name}.bias", (width,), 0.0)

    def batch_norm(self, name: str, width: int) -> None:
        self.norm(name, width)
        self.fill(f"{name}.running_mean", (width,), 0.0)
        self.fill(f"{name}.running_var", (width,), 1.0)
        self.tensors[f"{name}.num_batches_tracked"] = Tensor("I64", (), (0).to_bytes(8, "little"))


def subsampling(weights: Weights, hidden: int, channels: int, factor: int) -> None:
    kernel = (SUBSAMPLING_KERNEL, SUBSAMPLING_KERNEL)
    halvings = factor.bit_length() - 1
    weights.linear("subsampling.layers.0", channels, 1, kernel)
    for place in range(2, 3 * halvings - 1, 3):  # a depthwise and a pointwise convolution, then a ReLU
        weights.linear(f"subsampling.layers.{place}", channels, 1, kernel)
        weights.linear(f"subsampling.layers.{place + 1}", channels, channels, (1, 1))
    bands = MEL_BANDS
    for _ in range(halvings):
        bands = -(-bands // STRIDE)
    weights.linear("subsampling.linear", hidden, channels * bands)


def layer(weights: Weights, name: str, hidden: int, heads: int, kernel: int) -> None:
    for branch in ("feed_forward1", "feed_forward2"):
        weights.linear(f"{name}.{branch}.linear1", FEED_FORWARD_RATIO * hidden, hidden)
        weights.linear(f"{name}.{branch}.linear2", hidden, FEED_FORWARD_RATIO * hidden)
    for projection in ("q_proj", "k_proj", "v_proj", "o_proj"):
        weights.linear(f"{name}.self_attn.{projection}", hidden, hidden)
    weights.linear(f"{name}.self_attn.relative_k_proj", hidden, hidden, bias=False)
    for bias in ("bias_u", "bias_v"):
        weights.fill(f"{name}.self_attn.{bias}", (heads, hidden // heads), 0.0)
    weights.linear(f"{name}.conv.pointwise_conv1", 2 * hidden, hidden, (1,))
    weights.linear(f"{name}.conv.depthwise_conv", hidden, 1, (kernel,))
    weights.batch_norm(f"{name}.conv.norm", hidden)
    weights.linear(f"{name}.conv.pointwise_conv2", hidden, hidden, (1,))
    for norm in ("norm_feed_forward1", "norm_self_att", "norm_conv", "norm_feed_forward2", "norm_out"):
        weights.norm(f"{name}.{norm}", hidden)


def config(options: argparse.Namespace) -> dict:
    return {
        "architectures": ["ParakeetEncoder"],
        "model_type": "parakeet_encoder",
        "dtype": "float32",
        "num_mel_bins": MEL_BANDS,
        "hidden_size": options.hidden,
        "intermediate_size": FEED_FORWARD_RATIO * options.hidden,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.heads,
        "conv_kernel_size": options.kernel,
        "hidden_act": "silu",
        "attention_bias": True,
        "convolution_bias": True,
        "scale_input": False,
        "subsampling_factor": options.subsampling,
        "subsampling_conv_channels": options.channels,
        "subsampling_conv_kernel_size": SUBSAMPLING_KERNEL,
        "subsampling_conv_stride": STRIDE,
    }


FEATURE_EXTRACTOR = {
    "feature_extractor_type": "ParakeetFeatureExtractor",
    "feature_size": MEL_BANDS,
    "sampling_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "preemphasis": 0.97,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
}


def mistake(options: argparse.Namespace) -> str | None:
    sizes = ("hidden", "layers", "heads", "kernel", "subsampling", "channels")
    for name in sizes:
        if getattr(options, name) < 1:
            return f"--{name}: expected at least 1, got {getattr(options, name)}"
    if options.hidden % options.heads:
        return f"--heads: expected a divisor of --hidden {options.hidden}, got {options.heads}"
    if options.kernel % 2 == 0:
        return f"--kernel: expected an odd number, got {options.kernel}"
    if options.subsampling < 2 or options.subsampling & (options.subsampling - 1):
        return f"--subsampling: expected 2, 4, 8, ..., got {options.subsampling}"
    if options.out.exists():
        return f"--out: {options.out} exists"
    return None


def write(options: argparse.Namespace) -> None:
    weights = Weights(options.seed)
    subsampling(weights, options.hidden, options.channels, options.subsampling)
    for index in range(options.layers):
        layer(weights, f"layers.{index}", options.hidden, options.heads, options.kernel)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        made = Path(folder) / "tower"
        made.mkdir()
        safetensors_file.write(made / "model.safetensors", weights.tensors)
        for name, content in (("config.json", config(options)), ("preprocessor_config.json", FEATURE_EXTRACTOR)):
            (made / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        shutil.move(made, options.out)


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes a Conformer of random weights.")
    parser.add_argument("--out", type=Path, required=True)
    for name, default in (("hidden", 144), ("layers", 6), ("heads", 4), ("kernel", 15), ("subsampling", 4), ("channels", 64), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if text := mistake(options):
        print(f"new_conformer: {text}", file=sys.stderr)
        return 2
    write(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
