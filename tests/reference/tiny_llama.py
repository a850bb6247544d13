"""Tiny random Llama models as Hugging Face directories, saved by transformers, with expected values.

Makes in --out, for each variant below: the directory VARIANT/ (config.json, safetensors, tokenizer.json and its companions)
and VARIANT.safetensors, as expected.expected_values describes, by a float32 run of what the directory holds.
  tied            float32, tied embeddings, 4 query heads on 2 key heads
  untied_sharded  own lm_head, biases in attention and MLP, 6 query heads on 1 key head, head_dim unlike hidden_size / heads,
                  tanh GELU, several shards with an index
  bfloat16        tied, saved in bfloat16
  float16         tied, saved in float16; its config.json has the keys of transformers 4 (rope_theta, torch_dtype)
  llama3_rope     tied, rope_type llama3 with a short original context
  outliers        `tied` with some channels before each linear 32 times larger and the weights behind them smaller:
                  the same function to the bit, but hard to quantize
Checked here: logits tell tokens apart, the windows' and the variants' differ, and those of `outliers` equal `tied`'s.
"""

import json
from pathlib import Path

import torch
from common import HANDBOOK_NAME, parse_arguments, read_texts, save
from expected import expected_values
from tiny import DEFAULTS, SEED, check_values, fill, save_tokenizer, train_tokenizer
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

OUTLIER_GAIN = 32.0  # a power of two: moving it from one tensor to the next rounds nothing
OUTLIER_CHANNELS = [3, 17, 42]
MAX_SHARD_SIZE = "120KB"

UNTIED = {
    "hidden_size": 72,
    "intermediate_size": 136,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 1,
    "head_dim": 20,
    "hidden_act": "gelu_pytorch_tanh",
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 12345.0},
    "attention_bias": True,
    "mlp_bias": True,
    "tie_word_embeddings": False,
}
LLAMA3_ROPE = {
    "rope_parameters": {
        "rope_type": "llama3",
        "rope_theta": 5000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
}
# name -> (what differs from DEFAULTS, dtype of the saved weights)
VARIANTS = {
    "tied": ({}, torch.float32),
    "untied_sharded": (UNTIED, torch.float32),
    "bfloat16": ({}, torch.bfloat16),
    "float16": ({}, torch.float16),
    "llama3_rope": (LLAMA3_ROPE, torch.float32),
    "outliers": ({}, torch.float32),
}


@torch.no_grad()
def grow_outliers(model: LlamaForCausalLM) -> None:
    """Moves OUTLIER_GAIN out of weights into their inputs: norm gains, and up_proj's rows before down_proj."""

    def move(source: torch.Tensor, *readers: torch.nn.Linear) -> None:
        source[OUTLIER_CHANNELS] *= OUTLIER_GAIN
        for reader in readers:
            reader.weight[:, OUTLIER_CHANNELS] /= OUTLIER_GAIN

    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        move(layer.input_layernorm.weight, attention.q_proj, attention.k_proj, attention.v_proj)
        move(layer.post_attention_layernorm.weight, mlp.gate_proj, mlp.up_proj)
        move(mlp.up_proj.weight, mlp.down_proj)


def use_older_keys(path: Path) -> None:
    """Rewrites a config.json in the form of transformers 4, which most models that people have use."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"rope_theta": config.pop("rope_parameters")["rope_theta"], "rope_scaling": None}
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def save_variant(name: str, directory: Path, tokenizer: Tokenizer) -> None:
    changes, dtype = VARIANTS[name]
    model = LlamaForCausalLM(LlamaConfig(**DEFAULTS | changes))
    fill(model, torch.Generator().manual_seed(SEED))
    if name == "outliers":
        grow_outliers(model)
    model.to(dtype).save_pretrained(directory, max_shard_size=MAX_SHARD_SIZE if name == "untied_sharded" else "1GB")
    if name == "float16":
        use_older_keys(directory / "config.json")
    save_tokenizer(tokenizer, directory)


def check(expected: dict[str, dict[str, torch.Tensor]]) -> None:
    for name, tensors in expected.items():
        check_values(name, tensors)
        assert name in ("tied", "outliers") or not torch.equal(tensors["logits"], expected["tied"]["logits"]), name
    assert torch.equal(expected["tied"]["logits"], expected["outliers"]["logits"])


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    texts = read_texts(arguments.assets / HANDBOOK_NAME)
    tokenizer = train_tokenizer(texts)
    tokens = tokenizer.encode(max(texts, key=len)[:10_000]).ids
    expected = {}
    for name in VARIANTS:
        save_variant(name, arguments.out / name, tokenizer)
        model = AutoModelForCausalLM.from_pretrained(arguments.out / name, dtype=torch.float32)
        expected[name] = expected_values(model.eval(), tokens)
        save(arguments.out / f"{name}.safetensors", expected[name], __file__, text=HANDBOOK_NAME, seed=SEED)
    check(expected)


if __name__ == "__main__":
    main()
