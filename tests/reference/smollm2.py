"""SmolLM2 out of the GGUF file: `gguf` dequantizes, `transformers` runs it in float32."""

from pathlib import Path

import gguf
import numpy
import torch
from common import open_gguf, read_key
from transformers import LlamaConfig, LlamaForCausalLM

# GGUF's name -> Hugging Face's, the part inside a layer and the part outside.
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}  # lm_head is the embedding


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    if not name.startswith("blk."):
        stem, kind = name.split(".")
        return f"{TOP_NAMES[stem]}.{kind}"
    _, layer, stem, kind = name.split(".")
    return f"model.layers.{layer}.{LAYER_NAMES[stem]}.{kind}"


def restore_row_order(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Undoes llama.cpp's conversion: its row (head, i, half) is Hugging Face's row (head, half, i)."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor in float32 under its Hugging Face name, in Hugging Face's row order, sorted by name."""
    heads = {
        "attn_q": read_key(path, "llama.attention.head_count"),
        "attn_k": read_key(path, "llama.attention.head_count_kv"),
    }
    weights = {}
    for tensor in open_gguf(path).tensors:
        weight = gguf.dequantize(tensor.data, tensor.tensor_type)
        stem = tensor.name.split(".")[-2]
        if stem in heads:
            weight = restore_row_order(weight, heads[stem])
        weights[hugging_face_name(tensor.name)] = torch.from_numpy(numpy.array(weight, dtype=numpy.float32))
    return dict(sorted(weights.items()))


def load_config(path: Path, attention: str) -> LlamaConfig:
    def read(key):
        return read_key(path, f"llama.{key}")

    return LlamaConfig(
        vocab_size=read("vocab_size"),
        hidden_size=read("embedding_length"),
        intermediate_size=read("feed_forward_length"),
        num_hidden_layers=read("block_count"),
        num_attention_heads=read("attention.head_count"),
        num_key_value_heads=read("attention.head_count_kv"),
        head_dim=read("rope.dimension_count"),
        max_position_embeddings=read("context_length"),
        rms_norm_eps=read("attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": read("rope.freq_base")},
        tie_word_embeddings=True,
        attn_implementation=attention,
    )


def load_model(path: Path, weights: dict[str, torch.Tensor], attention: str = "sdpa") -> LlamaForCausalLM:
    """Loads the model. weights: load_weights(path). attention: "eager" or "sdpa"."""
    model = LlamaForCausalLM.from_pretrained(None, config=load_config(path, attention), state_dict=dict(weights)).eval()
    state = model.state_dict()
    assert state.keys() - weights.keys() == {"lm_head.weight"}, "every tensor but the tied head comes from the file"
    assert all(torch.equal(state[name], weight) for name, weight in weights.items())
    return model
