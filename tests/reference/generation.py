"""Texts of transformers' generate(), and the probabilities of its samplers.

Makes in --out, one JSON file:
  greedy    [{model, prompt, stop, tokens, text}]: generate(do_sample=False) in float32 behind a prompt encoded with special tokens
            (a Hugging Face directory of --tiny or --families) or the SmolLM2 GGUF file behind a chat's (chat: the user's text);
            tokens end with the one of `stop` that ended them, if one did
  sampling  [{logits, temperature, top_k, top_p, probabilities}]: after TemperatureLogitsWarper, TopKLogitsWarper and
            TopPLogitsWarper, as generate() puts them together (top_k 0, top_p 1, temperature 1: left out)
  versions
Checked here: greedy tokens are no near ties; a text ended by a stop token is among them.
"""

import json
import random
from pathlib import Path

import torch
from common import GGUF_NAME, library_versions, parse_arguments, read_key, tokenizer_from_gguf
from smollm2 import load_model, load_weights
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

PROMPT = "The package manager, however, does"
CHAT = "What is the capital of France? Answer with one word."
STEPS = 48
LEAST_MARGIN = 1e-3
VOCABULARY = 40
# temperature, top_k, top_p
SAMPLING = [(0.7, 0, 1.0), (1.0, 5, 1.0), (1.0, 0, 0.8), (0.5, 10, 0.9), (1.6, 3, 0.5), (1.0, 100, 0.999), (2.0, 0, 0.05)]


def greedy(model: PreTrainedModel, ids: list[int], stop: list[int]) -> list[int]:
    output = model.generate(
        torch.tensor([ids]),
        do_sample=False,
        max_new_tokens=STEPS,
        eos_token_id=stop,
        pad_token_id=stop[0],
        output_logits=True,
        return_dict_in_generate=True,
    )
    best, runner_up = torch.stack(output.logits).squeeze(1).topk(2).values.unbind(-1)
    assert (best - runner_up).min() > LEAST_MARGIN, "a near tie: take another prompt"
    return output.sequences[0, len(ids) :].tolist()


def describe(name: str, model: PreTrainedModel, ids: list[int], stop: list[int], tokenizer: PreTrainedTokenizerFast) -> dict:
    tokens = greedy(model, ids, stop)
    text = tokenizer.decode([token for token in tokens if token not in stop])
    return {"model": name, "prompt_ids": ids, "stop": stop, "tokens": tokens, "text": text}


def tiny(name: str, directory: Path, stop_at: int | None = None) -> dict:
    """Makes a case of a tiny model. stop_at: makes the token at that step a stop token, so the text ends early."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = tokenizer(PROMPT)["input_ids"]
    stop = [tokenizer.eos_token_id]
    if stop_at is not None:
        stop.append(greedy(model, ids, stop)[stop_at])
    return describe(name, model, ids, stop, tokenizer) | {"prompt": PROMPT}


def smollm2(path: Path) -> dict:
    model = load_model(path, load_weights(path))
    special = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_from_gguf(path), chat_template=read_key(path, "tokenizer.chat_template"), **special
    )
    messages = [{"role": "user", "content": CHAT}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    result = describe("smollm2", model, ids, [tokenizer.eos_token_id], tokenizer)
    assert result["tokens"][-1] == tokenizer.eos_token_id, "the answer does not end"
    return result | {"chat": CHAT}


def sampling() -> list[dict]:
    generator = random.Random(7)
    cases = []
    for temperature, top_k, top_p in SAMPLING:
        logits = [round(generator.gauss(0, 2), 3) for _ in range(VOCABULARY)]
        scores = torch.tensor([logits])
        if temperature != 1.0:
            scores = TemperatureLogitsWarper(temperature)(None, scores)
        if top_k != 0:
            scores = TopKLogitsWarper(top_k=top_k)(None, scores)
        if top_p < 1.0:
            scores = TopPLogitsWarper(top_p=top_p)(None, scores)
        probabilities = scores.double().softmax(-1)[0].tolist()
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        cases.append({"logits": logits, "probabilities": probabilities} | options)
    return cases


def main() -> None:
    arguments = parse_arguments(__doc__, "the file", tiny="of tiny_llama.py", families="of tiny_families.py")
    expected = {
        "greedy": [
            tiny("tiny_llama/tied", arguments.tiny / "tied"),
            tiny("tiny_llama/untied_sharded", arguments.tiny / "untied_sharded", stop_at=9),
            tiny("tiny_families/glm4", arguments.families / "glm4"),
            tiny("tiny_families/qwen3", arguments.families / "qwen3"),
            smollm2(arguments.assets / GGUF_NAME),
        ],
        "sampling": sampling(),
        "versions": library_versions(),
    }
    arguments.out.write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
