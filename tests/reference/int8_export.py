"""Tiny INT8 models as compressed-tensors directories, quantized and run by plain integer arithmetic in torch.

Makes in --out, for each variant of tiny_llama.py named below: the directory VARIANT/ (config.json with quantization_config,
model.safetensors with int8 `weight`, float32 `weight_scale` [N, 1] and `input_scale` [1] a linear, tokenizer files, an empty
dualpath.json) and
VARIANT.safetensors:
  ids     [2, 64] int64         the calibration's windows too
  logits  [2, 64, V] float32    every linear but lm_head: y = float(sum of code * code) * (s_x * s_w) + bias
  hidden  [2, L + 1, 64, H] float32, as expected.hidden_states describes
Metadata: kl_to_float, how far quantization moved the float model's logits (nats).
Checked here: sums are exact; quantization moves the logits, and moves those of the model with outliers much more.
The same directories show that check_export.py, and so transformers with compressed-tensors, reads what we write.
"""

import json
import shutil
from pathlib import Path

import torch
from common import parse_arguments, save
from expected import hidden_states
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

VARIANTS = ("tied", "outliers", "untied_sharded")
IGNORED = "lm_head"


def scheme(strategy: str) -> dict:
    return {"num_bits": 8, "type": "int", "symmetric": True, "strategy": strategy, "dynamic": False}


QUANTIZATION_CONFIG = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "config_groups": {
        "group_0": {"targets": ["Linear"], "weights": scheme("channel"), "input_activations": scheme("tensor")},
    },
    "ignore": [IGNORED],
}


def quantize(x: torch.Tensor, scale: torch.Tensor, qmin: int) -> torch.Tensor:
    return torch.round(x / scale).clamp(qmin, 127).to(torch.int8)


class Int8Linear(torch.nn.Module):
    """A linear that watches the largest input until frozen, then computes with codes."""

    def __init__(self, linear: torch.nn.Linear):
        super().__init__()
        self.linear = linear
        self.weight_scale = linear.weight.abs().amax(1, keepdim=True) / 127  # [N, 1]
        self.weight = quantize(linear.weight, self.weight_scale, -127)
        self.absmax = torch.zeros(1)
        self.input_scale = None

    def freeze(self) -> None:
        self.input_scale = self.absmax / 127  # [1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.input_scale is None:
            self.absmax = torch.maximum(self.absmax, x.abs().max())
            return self.linear(x)
        codes = quantize(x, self.input_scale, -128)
        sums = codes.double() @ self.weight.double().T  # float64 holds these integers exactly
        assert sums.abs().max() < 2**31
        y = sums.float() * (self.input_scale * self.weight_scale[:, 0])
        return y if self.linear.bias is None else y + self.linear.bias


def replace_linears(model: torch.nn.Module) -> dict[str, Int8Linear]:
    linears = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    del linears[IGNORED]
    replaced = {name: Int8Linear(linear) for name, linear in linears.items()}
    for name, module in replaced.items():
        model.set_submodule(name, module)
    return replaced


def export(source: Path, directory: Path, weights: dict[str, torch.Tensor], linears: dict[str, Int8Linear]) -> None:
    """Writes codes and scales in place of quantized weights. weights: the float model's."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(source / file, directory / file)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = QUANTIZATION_CONFIG
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    # An empty description of an export, without which no quantized directory is opened.
    (directory / "dualpath.json").write_text("{}\n", encoding="utf-8")
    tensors = dict(weights)
    for name, module in linears.items():
        tensors[f"{name}.weight"] = module.weight
        tensors[f"{name}.weight_scale"] = module.weight_scale
        tensors[f"{name}.input_scale"] = module.input_scale
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


def stored_weights(directory: Path) -> dict[str, torch.Tensor]:
    weights = {}
    for shard in sorted(directory.glob("*.safetensors")):
        weights |= load_file(shard)
    return weights


def kl_divergence(reference: torch.Tensor, logits: torch.Tensor) -> float:
    """Mean over positions, in nats."""
    reference, logits = reference.double().log_softmax(-1), logits.double().log_softmax(-1)
    return (reference.exp() * (reference - logits)).sum(-1).mean().item()


@torch.no_grad()
def make_variant(source: Path, out: Path) -> float:
    ids = load_file(source.with_suffix(".safetensors"))["ids"]
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    linears = replace_linears(model)
    reference = torch.cat([model(window[None]).logits for window in ids])
    for linear in linears.values():
        linear.freeze()
    logits = torch.cat([model(window[None]).logits for window in ids])
    hidden = hidden_states(model, ids)
    export(source, out / source.name, stored_weights(source), linears)
    moved = kl_divergence(reference, logits)
    tensors = {"ids": ids, "logits": logits, "hidden": hidden}
    save(out / f"{source.name}.safetensors", tensors, __file__, kl_to_float=moved)
    return moved


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and their logits", tiny="what tiny_llama.py made")
    moved = {name: make_variant(arguments.tiny / name, arguments.out) for name in VARIANTS}
    assert all(kl > 1e-4 for kl in moved.values()) and moved["outliers"] > 10 * moved["tied"], moved


if __name__ == "__main__":
    main()
