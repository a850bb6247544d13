"""Parts that tiny random models share: sizes, a tokenizer, values as large as a trained model's, and checks of them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

SEED = 20
END_OF_TEXT = "<|endoftext|>"

DEFAULTS = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 50000.0},
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """A byte-level BPE of SmolLM2's kind with a vocabulary of 512; <|endoftext|> is token 0."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=DEFAULTS["vocab_size"],
        special_tokens=[END_OF_TEXT],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, directory: Path) -> None:
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT).save_pretrained(directory)


@torch.no_grad()
def fill(model: PreTrainedModel, generator: torch.Generator) -> None:
    """Fills in values as large as a trained model's: with the library's own, all logits would be nearly alike."""
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.uniform_(0.5, 1.5, generator=generator)
        else:
            parameter.normal_(std=0.2, generator=generator)


def check_values(name: str, expected: dict[str, torch.Tensor]) -> None:
    """Checks the values that expected.expected_values describes."""
    assert expected["logits"].std(-1).min() > 0.5, f"{name}: the logits are nearly alike"
    assert len(set(expected["greedy"].tolist())) > 8, f"{name}: the greedy tokens repeat themselves"
