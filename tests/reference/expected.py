"""Values for testing a C++ decoder: a float32 model's logits, how far they may move, and its greedy continuation."""

import torch
from transformers import PreTrainedModel

WINDOW = 64
WINDOWS = 2
PROMPT = 32
STEPS = 64


def logits_of(model: PreTrainedModel, ids: torch.Tensor, attention: str) -> torch.Tensor:
    """Computes logits of ids [B, T] int64. Returns [B, T, V] float32. attention: "eager" or "sdpa"."""
    model.set_attn_implementation(attention)
    return model(ids, use_cache=False).logits


def continue_greedily(model: PreTrainedModel, prompt: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Continues prompt [P] int64. Returns STEPS tokens (past any end of text) and each one's logit less the runner-up's."""
    tokens, margins = [], []
    ids, cache = prompt[None], None
    for _ in range(STEPS):
        output = model(ids, past_key_values=cache, use_cache=True)
        best, runner_up = output.logits[0, -1].topk(2).values
        margins.append(best - runner_up)
        ids, cache = output.logits[:, -1:].argmax(-1), output.past_key_values
        tokens.append(ids.item())
    return torch.tensor(tokens), torch.stack(margins)


@torch.no_grad()
def hidden_states(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Runs each row of ids [B, T] int64 alone. Returns [B, L + 1, T, H]: the embeddings, then each layer's output.

    Unlike transformers' own output_hidden_states, the last one is taken before the final norm.
    """
    seen = []
    modules = [model.model.embed_tokens, *model.model.layers]
    handles = [module.register_forward_hook(lambda module, inputs, output: seen.append(output)) for module in modules]
    for window in ids:
        model(window[None], use_cache=False)
    for handle in handles:
        handle.remove()
    return torch.cat(seen).unflatten(0, (len(ids), len(modules)))


@torch.no_grad()
def expected_values(model: PreTrainedModel, tokens: list[int]) -> dict[str, torch.Tensor]:
    """Computes all values. The windows lie one after another at the start of the tokens, the prompt behind them.

    ids [2, 64] int64; logits [2, 64, V] float32, by eager attention; attention_difference [2, 64] float32, the largest
    |eager - sdpa| over the vocabulary; prompt [32] int64; greedy [64] int64; greedy_margin [64] float32.
    """
    text = torch.tensor(tokens[: WINDOWS * WINDOW + PROMPT])
    ids, prompt = text[: WINDOWS * WINDOW].view(WINDOWS, WINDOW), text[WINDOWS * WINDOW :]
    eager, sdpa = logits_of(model, ids, "eager"), logits_of(model, ids, "sdpa")
    greedy, margin = continue_greedily(model, prompt)
    difference = (eager - sdpa).abs().amax(-1)
    assert margin.min() > 10 * difference.max(), "a near tie: no reference for greedy tokens, take another text"
    return {
        "ids": ids,
        "logits": eager,
        "attention_difference": difference,
        "prompt": prompt,
        "greedy": greedy,
        "greedy_margin": margin,
    }
