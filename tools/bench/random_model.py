"""Models of random weights: Llamas and GLM-4s in bfloat16 as Hugging Face directories, whose tokenizer knows bytes alone."""

import ctypes
import json
from collections.abc import Iterator
from pathlib import Path

import torch

# SmolLM2-135M, Llama-3.2-1B, and two layers of GLM-4-9B with few words: they are about the layers.
SIZES = {
    "SmolLM2-135M": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
                     "num_key_value_heads": 3, "head_dim": 64, "vocab_size": 49152, "tie_word_embeddings": True},
    "1B": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "tie_word_embeddings": True},
    "9B, 2 layers": {"hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 2, "num_attention_heads": 32,
                     "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 4096, "tie_word_embeddings": False},
}
END = "<|end|>"


def config(sizes: dict, kind: str) -> dict:
    if kind == "glm4":
        return {"model_type": "glm4", "architectures": ["Glm4ForCausalLM"], "hidden_act": "silu", "rms_norm_eps": 1e-5,
                "rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 10000.0, "rope_type": "default"},
                "attention_bias": True, "max_position_embeddings": 32768, "torch_dtype": "bfloat16", "eos_token_id": 256,
                **sizes}
    return {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 8192, "torch_dtype": "bfloat16", "eos_token_id": 256, **sizes}


def layer_shapes(sizes: dict, kind: str) -> dict[str, list[int]]:
    hidden, inner, dim = sizes["hidden_size"], sizes["intermediate_size"], sizes["head_dim"]
    q, kv = sizes["num_attention_heads"] * dim, sizes["num_key_value_heads"] * dim
    attention = {"self_attn.q_proj.weight": [q, hidden], "self_attn.k_proj.weight": [kv, hidden],
                 "self_attn.v_proj.weight": [kv, hidden], "self_attn.o_proj.weight": [hidden, q]}
    norms = {"input_layernorm.weight": [hidden], "post_attention_layernorm.weight": [hidden]}
    if kind == "glm4":
        biases = {"self_attn.q_proj.bias": [q], "self_attn.k_proj.bias": [kv], "self_attn.v_proj.bias": [kv]}
        mlp = {"mlp.gate_up_proj.weight": [2 * inner, hidden], "mlp.down_proj.weight": [hidden, inner]}
        more = {"post_self_attn_layernorm.weight": [hidden], "post_mlp_layernorm.weight": [hidden]}
        return {**attention, **biases, **mlp, **norms, **more}
    return {**attention, "mlp.gate_proj.weight": [inner, hidden], "mlp.up_proj.weight": [inner, hidden],
            "mlp.down_proj.weight": [hidden, inner], **norms}


def shapes(sizes: dict, kind: str) -> Iterator[tuple[str, list[int]]]:
    hidden = sizes["hidden_size"]
    yield "model.embed_tokens.weight", [sizes["vocab_size"], hidden]
    for layer in range(sizes["num_hidden_layers"]):
        for name, shape in layer_shapes(sizes, kind).items():
            yield f"model.layers.{layer}.{name}", shape
    yield "model.norm.weight", [hidden]
    if not sizes["tie_word_embeddings"]:
        yield "lm_head.weight", [sizes["vocab_size"], hidden]


def values_of(name: str, shape: list[int], kind: str, generator: torch.Generator, device: str) -> torch.Tensor:
    """Normal values; a GLM-4's norms let one channel in 512 through ten times as loud, as a real model's outliers are."""
    values = torch.randn(shape, generator=generator, device=device) * 0.02 + ("norm" in name)
    if kind == "glm4" and name.endswith(("input_layernorm.weight", "post_attention_layernorm.weight")):
        values[::512] *= 10
    return values.bfloat16().cpu()


def write_weights(path: Path, sizes: dict, device: str, kind: str) -> None:
    header, end = {}, 0
    for name, shape in shapes(sizes, kind):
        begin, end = end, end + 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = torch.Generator(device).manual_seed(0)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes(sizes, kind):
            values = values_of(name, shape, kind, generator, device)
            file.write((ctypes.c_char * values.nbytes).from_address(values.data_ptr()))


def byte_letters() -> list[str]:
    """The letters that stand for the bytes in byte-level BPE (GPT-2): printable ones for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def tokenizer() -> dict:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": level,
            "post_processor": None, "decoder": level,
            "added_tokens": [{"id": 256, "content": END, "single_word": False, "lstrip": False, "rstrip": False,
                              "normalized": False, "special": True}],
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {letter: byte for byte, letter in enumerate(byte_letters())}, "merges": []}}


def write(directory: Path, sizes: dict, device: str = "cpu", kind: str = "llama") -> Path:
    """Writes a model, or keeps the one of these sizes that is there."""
    files = {"config.json": config(sizes, kind), "tokenizer.json": tokenizer(),
             "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END}}
    texts = {name: json.dumps(content, indent=2) for name, content in files.items()}
    weights = directory / "model.safetensors"
    if weights.exists() and (directory / "config.json").read_text() == texts["config.json"]:
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_text(text)
    half = directory / "model.half"
    write_weights(half, sizes, device, kind)
    half.rename(weights)
    return directory
