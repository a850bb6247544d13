"""Gives a directory that we made from a GGUF file to `tokenizers` and to transformers' AutoTokenizer.

Both must load it and give the ids in tokens.json; AutoTokenizer must know the special tokens and the chat template.
"""

import argparse
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
RENDERED = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello?<|im_end|>\n<|im_start|>assistant\n"


def failures(directory: Path, expected: dict) -> list[str]:
    fast = Tokenizer.from_file(str(directory / "tokenizer.json"))
    auto = AutoTokenizer.from_pretrained(directory)
    special = (auto.bos_token, auto.eos_token, auto.pad_token, auto.unk_token)
    found = [] if special == ("<|im_start|>", "<|im_end|>", "<|im_end|>", "<|endoftext|>") else [f"special tokens: {special}"]
    if auto.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True) != RENDERED:
        found.append("chat template")
    for text in expected["texts"]:
        if fast.encode(text["text"], add_special_tokens=False).ids != text["ids"]:
            found.append(f"tokenizers: {text['name']}")
        if auto.encode(text["text"]) != text["ids"]:  # with the tokens that transformers would put around the text: none
            found.append(f"AutoTokenizer: {text['name']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="tokenizer.json and tokenizer_config.json")
    parser.add_argument("--expected", type=Path, required=True, help="tokens.json, made by tokens.py")
    arguments = parser.parse_args()
    found = failures(arguments.directory, json.loads(arguments.expected.read_text(encoding="utf-8")))
    sys.exit("differs from tokens.json: " + "; ".join(found) if found else 0)


if __name__ == "__main__":
    main()
