"""Small random speech encoders, computed by transformers and torchaudio.

Makes in --out the directories below (config.json, model.safetensors) and for each NAME.safetensors: `features` [3, T, mels], `mask` [3, T]
bool, `hidden` [3, T', H] with `hidden_mask` [3, T'] (zero where it is false), and `attention_difference` [1]: the largest difference
between the library's own plain and fused attention.
  parakeet, parakeet_plain         ParakeetEncoder, clips of different lengths; with and without biases and scaled input
  torchaudio, torchaudio_first     torchaudio.models.Conformer, clips of one length, since it does not mask before its convolution; the
                                   second with convolution_first. config.json has its constructor's names, model_type "conformer"
"""

import json

import torch
import torchaudio
from common import parse_arguments, save
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import ParakeetEncoder, ParakeetEncoderConfig

SEED = 17
LENGTHS = (67, 50, 33)
PARAKEET = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "conv_kernel_size": 7,
    "subsampling_factor": 4,
    "subsampling_conv_channels": 16,
    "num_mel_bins": 32,
}
CONFORMER = {"input_dim": 48, "num_heads": 4, "ffn_dim": 96, "num_layers": 3, "depthwise_conv_kernel_size": 7}


@torch.no_grad()
def fill(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Random values that make every tensor count, running statistics among them."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point() or name.endswith("inv_freq"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(0.5 + noise.abs())
        elif tensor.dim() == 1 and name.endswith("weight"):  # a norm's weight
            tensor.copy_(1 + 0.2 * noise)
        else:
            tensor.copy_(noise * (0.3 if tensor.dim() == 1 or "bias_" in name else 0.15))


def parakeet(directory, generator, **changes) -> dict[str, torch.Tensor]:
    model = ParakeetEncoder(ParakeetEncoderConfig(**PARAKEET, **changes))
    fill(model, generator)
    model.save_pretrained(directory)
    features = torch.randn(len(LENGTHS), max(LENGTHS), PARAKEET["num_mel_bins"], generator=generator)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    features *= mask[..., None]

    def run(attention):
        loaded = ParakeetEncoder.from_pretrained(directory, attn_implementation=attention, dtype=torch.float32)
        output = loaded.eval()(features, attention_mask=mask)
        return output.last_hidden_state, output.attention_mask.bool()

    (eager, hidden_mask), (sdpa, _) = run("eager"), run("sdpa")
    return expected(features, mask, eager, sdpa, hidden_mask)


def conformer(directory, generator, **changes) -> dict[str, torch.Tensor]:
    model = torchaudio.models.Conformer(**CONFORMER, **changes)
    fill(model, generator)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), directory / "model.safetensors")
    config = {"model_type": "conformer", **CONFORMER, "use_group_norm": False, "convolution_first": False, **changes}
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    features = torch.randn(3, 40, CONFORMER["input_dim"], generator=generator)
    model.eval()

    def run(backends):
        with sdpa_kernel(backends):
            return model(features, torch.full([3], 40))[0]

    mask = torch.ones(3, 40, dtype=torch.bool)
    fused = run([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])
    return expected(features, mask, run([SDPBackend.MATH]), fused, mask.clone())


def expected(features, mask, plain, fused, hidden_mask) -> dict[str, torch.Tensor]:
    real = hidden_mask[..., None]
    return {
        "features": features,
        "mask": mask,
        "hidden": plain * real,
        "hidden_mask": hidden_mask,
        "attention_difference": ((plain - fused) * real).abs().max().reshape(1),
    }


@torch.no_grad()
def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    generator = torch.Generator().manual_seed(SEED)
    cases = {
        "parakeet": lambda path: parakeet(path, generator),
        "parakeet_plain": lambda path: parakeet(
            path, generator, attention_bias=False, convolution_bias=False, scale_input=False
        ),
        "torchaudio": lambda path: conformer(path, generator),
        "torchaudio_first": lambda path: conformer(path, generator, convolution_first=True),
    }
    for name, make in cases.items():
        values = make(arguments.out / name)
        assert values["hidden"].std() > 0.1, f"{name}: the outputs are nearly alike"
        save(arguments.out / f"{name}.safetensors", values, __file__, seed=SEED)


if __name__ == "__main__":
    main()
