"""Expected values of SmolLM2-135M-Instruct, read from its GGUF file and run in float32 by transformers.

Makes in --out:
  smollm2_logits.safetensors  as expected.expected_values describes, over text of the Debian handbook, and
                              hidden [1, 31, 64, 576] float32, the first window's, as expected.hidden_states describes
  smollm2_weights.json        tensors: Hugging Face name -> shape, sha256 of the dequantized values (little-endian float32,
                              Hugging Face's row order), head (the first four values); versions
Checked here: the text's perplexity is that of a correctly read model; greedy tokens are no near ties.
"""

import hashlib
import json
import math

import torch
from common import GGUF_NAME, HANDBOOK_NAME, library_versions, parse_arguments, read_texts, save, tokenizer_from_gguf
from expected import expected_values, hidden_states
from smollm2 import load_model, load_weights

FIRST_TOKEN = 512  # behind the page's head begins prose
MAX_PERPLEXITY = 60.0  # for windows so short; over 256 tokens it is 22, and a misread model has thousands


def perplexity(ids: torch.Tensor, logits: torch.Tensor) -> float:
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    return math.exp(loss)


def describe(weight: torch.Tensor) -> dict:
    digest = hashlib.sha256(weight.numpy().astype("<f4").tobytes()).hexdigest()
    return {"shape": list(weight.shape), "sha256": digest, "head": weight.flatten()[:4].tolist()}


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the two files")
    gguf_path = arguments.assets / GGUF_NAME
    weights = load_weights(gguf_path)
    model = load_model(gguf_path, weights)
    tokenizer = tokenizer_from_gguf(gguf_path)
    text = max(read_texts(arguments.assets / HANDBOOK_NAME), key=len)
    tokens = tokenizer.encode(text).ids[FIRST_TOKEN:]

    tensors = expected_values(model, tokens)
    measured = perplexity(tensors["ids"], tensors["logits"])
    assert measured < MAX_PERPLEXITY, f"perplexity {measured}: the model was misread"
    tensors["hidden"] = hidden_states(model, tensors["ids"][:1])
    continuation = tokenizer.decode(tensors["prompt"].tolist() + tensors["greedy"].tolist(), skip_special_tokens=False)
    save(
        arguments.out / "smollm2_logits.safetensors",
        tensors,
        __file__,
        model=GGUF_NAME,
        text=HANDBOOK_NAME,
        perplexity=measured,
        continuation=continuation,
    )
    description = {"versions": library_versions(), "tensors": {name: describe(w) for name, w in weights.items()}}
    (arguments.out / "smollm2_weights.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
