"""Small random Whispers as transformers saves them, and the hidden states of their encoder.

Makes in --out the directories below (config.json, model.safetensors) and for each NAME.safetensors: `features` [2, 200, mels]
float32, `hidden` [2, 100, H], and `attention_difference` [1]: the largest difference between the library's own plain and fused
attention.
  encoder      WhisperEncoder alone
  model        WhisperModel, whose file also holds a decoder
  generation   WhisperForConditionalGeneration, the same, with relu instead of gelu in the layers
"""

import torch
from common import parse_arguments, save
from transformers import WhisperConfig, WhisperForConditionalGeneration, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

SEED = 31
CONFIG = {
    "d_model": 48,
    "encoder_layers": 2,
    "encoder_attention_heads": 3,
    "encoder_ffn_dim": 96,
    "num_mel_bins": 32,
    "max_source_positions": 100,
    "decoder_layers": 1,
    "decoder_attention_heads": 3,
    "decoder_ffn_dim": 96,
    "vocab_size": 64,
    "max_target_positions": 16,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 0,
}


@torch.no_grad()
def fill(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Random values that make every tensor count: norms near 1, the rest of a trained model's size."""
    for name, tensor in model.named_parameters():
        noise = torch.randn(tensor.shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        tensor.copy_(1 + 0.2 * noise if is_norm else noise * (0.3 if tensor.dim() == 1 else 0.12))


def make(kind, directory, generator, **changes) -> dict[str, torch.Tensor]:
    model = kind(WhisperConfig(**CONFIG, **changes))
    fill(model, generator)
    model.save_pretrained(directory)
    features = torch.randn(2, 2 * CONFIG["max_source_positions"], CONFIG["num_mel_bins"], generator=generator)

    def run(attention):
        loaded = kind.from_pretrained(directory, attn_implementation=attention).eval()
        encoder = loaded if kind is WhisperEncoder else loaded.get_encoder()
        return encoder(features.transpose(1, 2)).last_hidden_state

    eager, sdpa = run("eager"), run("sdpa")
    return {"features": features, "hidden": eager, "attention_difference": (eager - sdpa).abs().max().reshape(1)}


@torch.no_grad()
def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    generator = torch.Generator().manual_seed(SEED)
    cases = {
        "encoder": lambda path: make(WhisperEncoder, path, generator),
        "model": lambda path: make(WhisperModel, path, generator),
        "generation": lambda path: make(
            WhisperForConditionalGeneration, path, generator, activation_function="relu"
        ),
    }
    for name, made in cases.items():
        values = made(arguments.out / name)
        assert values["hidden"].std() > 0.1, f"{name}: the outputs are nearly alike"
        save(arguments.out / f"{name}.safetensors", values, __file__, seed=SEED)


if __name__ == "__main__":
    main()
