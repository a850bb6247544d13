"""Tiny random models of other families than Llama's as Hugging Face directories, saved by transformers, with expected values.

Makes in --out, for each family below, the files of a variant of tiny_llama.py: FAMILY/ and FAMILY.safetensors.
  glm4   rotation of half a head, interleaved; norms after attention and MLP, too; q, k, v with biases; gate and up in one tensor;
         5 query heads on 1 key head; own lm_head
  glm    the same without the norms after; 3 query heads on 3 key heads, no biases
  qwen2  q, k, v with biases; 3 query heads on 1 key head; tied
  qwen3  norms over the heads of q and k; 5 query heads on 1 key head, head_dim unlike hidden_size / heads; own lm_head
Checked here: logits tell tokens apart.
"""

import torch
from common import HANDBOOK_NAME, parse_arguments, read_texts, save
from expected import expected_values
from tiny import DEFAULTS, SEED, check_values, fill, save_tokenizer, train_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

GLM4 = {
    "hidden_size": 72,
    "intermediate_size": 136,
    "num_attention_heads": 5,
    "num_key_value_heads": 1,
    "head_dim": 20,
    "rope_parameters": {"rope_type": "default", "rope_theta": 50000.0, "partial_rotary_factor": 0.5},
    "attention_bias": True,
    "pad_token_id": None,
    "tie_word_embeddings": False,
}
# model_type -> what differs from DEFAULTS
FAMILIES = {
    "glm4": GLM4,
    "glm": GLM4 | {"num_attention_heads": 3, "num_key_value_heads": 3, "attention_bias": False},
    "qwen2": {"hidden_size": 60, "num_attention_heads": 3, "num_key_value_heads": 1},
    "qwen3": {"num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 24, "tie_word_embeddings": False},
}


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    texts = read_texts(arguments.assets / HANDBOOK_NAME)
    tokenizer = train_tokenizer(texts)
    tokens = tokenizer.encode(max(texts, key=len)[:10_000]).ids
    for family, changes in FAMILIES.items():
        directory = arguments.out / family
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **DEFAULTS | changes))
        fill(model, torch.Generator().manual_seed(SEED))
        model.save_pretrained(directory)
        save_tokenizer(tokenizer, directory)
        loaded = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
        expected = expected_values(loaded.eval(), tokens)
        check_values(family, expected)
        save(arguments.out / f"{family}.safetensors", expected, __file__, text=HANDBOOK_NAME, seed=SEED)


if __name__ == "__main__":
    main()
