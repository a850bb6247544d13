"""Ids and chats of the vendors' own tokenizers, those in towers/tokenizers of the assets (tools/fetch_assets.py --towers).

Makes in --out:
  ids.safetensors   NAME.i int32: what `tokenizers` gives for text i of tokens.json; NAME.whole int32: for the text WHOLE, with
                    the tokens that the tokenizer puts around it
  chats.json        [{name, cases: [{variables, text}]}]: what transformers renders; no `text` if the template or Jinja refuses
                    it; `variables` as in chat_templates.py, without the special tokens
Nothing but an empty chats.json, where the assets are not there.
"""

import itertools
import json
from pathlib import Path

import chat_templates
import jinja2
import torch
from common import parse_arguments, save
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

WHOLE = "Grüße, 你好世界! def f(x): return x**2  # 12345 'll's 🙂"


def ids_of(directory: Path, texts: list[str]) -> dict[str, torch.Tensor]:
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    lists = {str(i): tokenizer.encode(text, add_special_tokens=False).ids for i, text in enumerate(texts)}
    lists["whole"] = tokenizer.encode(WHOLE).ids
    return {f"{directory.name}.{name}": torch.tensor(ids, dtype=torch.int32) for name, ids in lists.items()}


def rendered(tokenizer, messages: list, options: dict) -> dict:
    try:
        return {"text": tokenizer.apply_chat_template(messages, tokenize=False, **options)}
    except (jinja2.TemplateError, TypeError):
        return {}


def chats_of(directory: Path) -> list[dict]:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    cases = []
    for messages, options in itertools.product(chat_templates.CONVERSATIONS, chat_templates.OPTIONS):
        defaults = {"tools": None, "documents": None, "add_generation_prompt": False}
        cases.append({"variables": {"messages": messages} | defaults | options} | rendered(tokenizer, messages, options))
    assert sum("text" in case for case in cases) > 10, f"{directory.name} renders little"
    return cases


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the files", tokens="what tokens.py made")
    chat_template_utils.datetime = chat_templates.FixedTime
    directories = sorted((arguments.assets / "towers" / "tokenizers").glob("*"))
    described = json.loads((arguments.tokens / "tokens.json").read_text(encoding="utf-8"))
    texts = [text["text"] for text in described["texts"]]
    ids = {name: value for directory in directories for name, value in ids_of(directory, texts).items()}
    chats = [{"name": directory.name, "cases": chats_of(directory)} for directory in directories]
    arguments.out.mkdir(parents=True, exist_ok=True)
    if ids:
        save(arguments.out / "ids.safetensors", ids, __file__)
    (arguments.out / "chats.json").write_text(json.dumps(chats, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
