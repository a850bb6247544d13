"""A peer on a device: a Llama of random weights in plain torch, bfloat16.

  gpu_peer.py PEER SIZES DEVICE      SIZES: JSON of a config.json's keys (random_model.SIZES)

PEER is an optimizer step on all weights, by cross-entropy and AdamW: fine_tune, or torchao (INT8 QAT: weights per
channel, inputs per token). Or it is one token behind a cache, the head left out: token, or torchao_token (INT8, inputs
per token). It answers lines "BATCH TOKENS", see peer.serve.
"""

import json
import sys
from functools import partial

import torch
from peer import serve, with_torchao
from torch.nn import functional


def turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Layer(torch.nn.Module):
    def __init__(self, sizes: dict):
        super().__init__()
        hidden, inner, self.dim = sizes["hidden_size"], sizes["intermediate_size"], sizes["head_dim"]
        q, kv = sizes["num_attention_heads"] * self.dim, sizes["num_key_value_heads"] * self.dim
        linear = partial(torch.nn.Linear, bias=False)
        self.q, self.k, self.v, self.o = linear(hidden, q), linear(hidden, kv), linear(hidden, kv), linear(q, hidden)
        self.gate, self.up, self.down = linear(hidden, inner), linear(hidden, inner), linear(inner, hidden)
        self.before, self.between = torch.nn.RMSNorm(hidden, eps=1e-5), torch.nn.RMSNorm(hidden, eps=1e-5)

    def forward(self, x: torch.Tensor, angles: tuple, cache: tuple | None = None) -> torch.Tensor:
        h = self.before(x)
        q, k, v = (part(h).unflatten(-1, (-1, self.dim)).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = turned(q, *angles), turned(k, *angles)
        if cache is not None:
            for held, new in zip(cache, (k, v)):
                held[:, :, -1:] = new
            k, v = cache
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=cache is None, enable_gqa=q.size(1) != k.size(1))
        x = x + self.o(y.transpose(1, 2).flatten(2))
        h = self.between(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


class Llama(torch.nn.Module):
    def __init__(self, sizes: dict):
        super().__init__()
        self.dim = sizes["head_dim"]
        self.table = torch.nn.Embedding(sizes["vocab_size"], sizes["hidden_size"])
        self.layers = torch.nn.ModuleList(Layer(sizes) for _ in range(sizes["num_hidden_layers"]))
        self.norm = torch.nn.RMSNorm(sizes["hidden_size"], eps=1e-5)
        self.lm_head = torch.nn.Linear(sizes["hidden_size"], sizes["vocab_size"], bias=False)
        if sizes["tie_word_embeddings"]:
            self.lm_head.weight = self.table.weight

    def forward(self, ids: torch.Tensor, begin: int = 0, caches: list | None = None) -> torch.Tensor:
        rates = 10000.0 ** -(torch.arange(0, self.dim, 2, device=ids.device) / self.dim)
        angle = torch.outer(torch.arange(begin, begin + ids.size(1), device=ids.device), rates)
        x, angles = self.table(ids), (angle.cos().to(self.table.weight.dtype), angle.sin().to(self.table.weight.dtype))
        for index, layer in enumerate(self.layers):
            x = layer(x, angles, caches[index] if caches else None)
        return self.norm(x)


def training(model: Llama, words: int, device: str):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, foreach=True)

    def step(batch: int, tokens: int) -> None:
        ids = torch.randint(words, (batch, tokens), device=device)
        logits = model.lm_head(model(ids))[:, :-1]
        functional.cross_entropy(logits.reshape(-1, words).float(), ids[:, 1:].reshape(-1)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def decoding(model: Llama, sizes: dict, device: str):
    caches = []

    @torch.no_grad()
    def token(batch: int, tokens: int) -> None:
        if not caches:
            shape = (batch, sizes["num_key_value_heads"], tokens + 1, sizes["head_dim"])
            caches.extend((torch.randn(shape, device=device), torch.randn(shape, device=device)) for _ in model.layers)
        model(torch.zeros(batch, 1, dtype=torch.long, device=device), tokens, caches)

    return token


def main() -> None:
    peer, sizes, device = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Llama(sizes)
    if peer == "torchao":
        with_torchao(model, lambda name: name != "lm_head")
    if peer == "torchao_token":
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        quantize_(model.layers, Int8DynamicActivationInt8WeightConfig())
    serve(decoding(model, sizes, device) if peer.endswith("token") else training(model, sizes["vocab_size"], device), device)


if __name__ == "__main__":
    main()
