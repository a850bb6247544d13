"""Reads a Whisper model of CTranslate2 (model.bin) as tensors under the names of Hugging Face's checkpoints.

A model.bin holds, after a version and the model's kind, each tensor's name, shape, type and bytes. CTranslate2 keeps q, k and v
one below another, and a bias of zeros for k, which Whisper has not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from safetensors_file import Tensor

FORMAT_VERSION = 6
HEAD_WIDTH = 64
TYPES = {0: "F32", 4: "F16"}  # of CTranslate2's DataType; integers stand beside the weights and say what the encoder looks like


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.at = 0

    def take(self, count: int) -> memoryview:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode()

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        version = self.number("I")
        kind = self.text()
        if version != FORMAT_VERSION or kind != "WhisperSpec":
            raise ValueError(f"expected WhisperSpec of version {FORMAT_VERSION}, got {kind} of version {version}")
        self.number("I")  # the kind's revision
        for _ in range(self.number("I")):
            name = self.text()
            shape = tuple(self.number("I") for _ in range(self.number("B")))
            dtype = TYPES.get(self.number("B"))
            data = self.take(self.number("I"))
            if dtype:
                yield name, Tensor(dtype, shape, data)


def read(model: bytes) -> dict[str, Tensor]:
    """The whole model, encoder and decoder: "model.encoder.conv1.weight", ..."""
    return dict(named(dict(Reader(model).tensors())))


def config(tensors: dict[str, Tensor]) -> dict:
    """The config.json of WhisperForConditionalGeneration. Every Whisper's heads are 64 wide."""

    def layers_of(side: str) -> int:
        return sum(name.startswith(f"model.{side}.") and name.endswith(".fc1.weight") for name in tensors)

    def rows_of(name: str) -> int:
        return tensors[f"model.{name}.weight"].shape[0]

    width, inner = rows_of("encoder.conv1"), rows_of("encoder.layers.0.fc1")
    return {
        "model_type": "whisper",
        "architectures": ["WhisperForConditionalGeneration"],
        "dtype": "float16",
        "d_model": width,
        "encoder_layers": layers_of("encoder"),
        "encoder_attention_heads": width // HEAD_WIDTH,
        "encoder_ffn_dim": inner,
        "decoder_layers": layers_of("decoder"),
        "decoder_attention_heads": width // HEAD_WIDTH,
        "decoder_ffn_dim": inner,
        "num_mel_bins": tensors["model.encoder.conv1.weight"].shape[1],
        "max_source_positions": rows_of("encoder.embed_positions"),
        "max_target_positions": rows_of("decoder.embed_positions"),
        "vocab_size": rows_of("decoder.embed_tokens"),
        "activation_function": "gelu",
    }


def named(source: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name in ("conv1", "conv2"):
        for end in ("weight", "bias"):
            yield f"model.encoder.{name}.{end}", source[f"encoder/{name}/{end}"]
    yield "model.decoder.embed_tokens.weight", source["decoder/embeddings/weight"]
    for side in ("encoder", "decoder"):
        ours = f"model.{side}"
        yield f"{ours}.embed_positions.weight", source[f"{side}/position_encodings/encodings"]
        yield from norm(source, f"{side}/layer_norm", f"{ours}.layer_norm")
        for index in range(layers(source, side)):
            yield from layer(source, f"{side}/layer_{index}", f"{ours}.layers.{index}", is_decoder=side == "decoder")


def layers(source: dict[str, Tensor], side: str) -> int:
    return sum(name.startswith(f"{side}/layer_") and name.endswith("/ffn/linear_0/weight") for name in source)


def layer(source: dict[str, Tensor], theirs: str, ours: str, is_decoder: bool) -> Iterator[tuple[str, Tensor]]:
    qkv = [f"{ours}.self_attn.{part}_proj" for part in "qkv"]
    yield from norm(source, f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
    yield from linears(source, f"{theirs}/self_attention/linear_0", qkv)
    yield from linears(source, f"{theirs}/self_attention/linear_1", [f"{ours}.self_attn.out_proj"])
    if is_decoder:
        cross = f"{ours}.encoder_attn"
        yield from norm(source, f"{theirs}/attention/layer_norm", f"{cross}_layer_norm")
        yield from linears(source, f"{theirs}/attention/linear_0", [f"{cross}.q_proj"])
        yield from linears(source, f"{theirs}/attention/linear_1", [f"{cross}.k_proj", f"{cross}.v_proj"])
        yield from linears(source, f"{theirs}/attention/linear_2", [f"{cross}.out_proj"])
    yield from norm(source, f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
    for index in (0, 1):
        yield from linears(source, f"{theirs}/ffn/linear_{index}", [f"{ours}.fc{index + 1}"])


def norm(source: dict[str, Tensor], theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.weight", source[f"{theirs}/gamma"]
    yield f"{ours}.bias", source[f"{theirs}/beta"]


def linears(source: dict[str, Tensor], theirs: str, ours: list[str]) -> Iterator[tuple[str, Tensor]]:
    """Linears of equal size that lie one below another."""
    weights, biases = rows(source[f"{theirs}/weight"], len(ours)), rows(source[f"{theirs}/bias"], len(ours))
    for name, weight, bias in zip(ours, weights, biases):
        yield f"{name}.weight", weight
        if not name.endswith("k_proj"):
            yield f"{name}.bias", bias
        elif any(bias.data):
            raise ValueError(f"{theirs}: expected a bias of zeros for the keys")


def rows(tensor: Tensor, parts: int) -> list[Tensor]:
    shape = (tensor.shape[0] // parts, *tensor.shape[1:])
    step = len(tensor.data) // parts
    return [Tensor(tensor.dtype, shape, tensor.data[part * step :][:step]) for part in range(parts)]
