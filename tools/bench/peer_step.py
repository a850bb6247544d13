"""One optimizer step of a peer, timed: SmolLM2 in bfloat16, cross-entropy on random tokens, AdamW.

  peer_step.py PEER GGUF      PEER: fine_tune, fine_tune_lora, torchao, torchao_lora, torchao_compiled, brevitas

For each line "BATCH TOKENS" of stdin it takes a step and answers with a line {"seconds": …, "peak_bytes": …} of JSON;
for a line "release" it hands freed memory back, so that the others have room, and answers {}.
Every linear but lm_head is quantized: weights per channel, inputs per token (torchao has no static ones in training) or
per tensor (brevitas). LoRA has rank 1 on each of them: 305 280 parameters beside the corrections' 345 900.
"""

import math
import os
import sys
from pathlib import Path

import torch
from peer import serve, with_torchao

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
from smollm2 import load_model, load_weights  # noqa: E402


class LoRA(torch.nn.Module):
    """y = base(x) + B A x, base frozen (Hu et al. 2021)."""

    def __init__(self, base: torch.nn.Linear, rank: int = 1):
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.randn(rank, base.in_features, dtype=base.weight.dtype) / math.sqrt(base.in_features))
        self.up = torch.nn.Parameter(torch.zeros(base.out_features, rank, dtype=base.weight.dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        linear = torch.nn.functional.linear
        return self.base(x) + linear(linear(x, self.down), self.up)


def linears(model: torch.nn.Module) -> list[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    """Parent, name and module of each linear but lm_head."""
    found = []
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, torch.nn.Linear) and name not in ("lm_head", "base"):
                found.append((parent, name, child))
    return found


def with_lora(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parent, name, linear in linears(model):
        setattr(parent, name, LoRA(linear))


def with_brevitas(model: torch.nn.Module) -> None:
    from brevitas.nn import QuantLinear
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat

    for parent, name, linear in linears(model):
        quantized = QuantLinear(
            linear.in_features,
            linear.out_features,
            bias=linear.bias is not None,
            weight_quant=Int8WeightPerChannelFloat,
            input_quant=Int8ActPerTensorFloat,
            dtype=linear.weight.dtype,
        )
        quantized.weight.data.copy_(linear.weight.data)
        setattr(parent, name, quantized)


def prepare(peer: str, gguf: Path) -> torch.nn.Module:
    model = load_model(gguf, load_weights(gguf)).bfloat16().train()
    model.config.use_cache = False
    if peer.startswith("torchao"):
        with_torchao(model, lambda name: "lm_head" not in name)
    if peer == "brevitas":
        with_brevitas(model)
    if peer.endswith("_lora"):
        with_lora(model)
    return torch.compile(model) if peer == "torchao_compiled" else model


def main() -> None:
    peer, gguf = sys.argv[1], Path(sys.argv[2])
    model = prepare(peer, gguf)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, foreach=True)

    def step(batch: int, tokens: int) -> None:
        ids = torch.randint(49152, (batch, tokens))
        logits = model(ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.size(-1)).float(), ids[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    serve(step)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
