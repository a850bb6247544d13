"""Ids that transformers' AutoTokenizer gives for directories whose other files say what their tokenizer.json does not.

Makes --out, a JSON list of {name, files: {file name: its text}, texts, ids, whole}: ids of each text without, whole with what
the tokenizer puts around a text. The order of keys counts, so files are texts.
"""

import json
import tempfile
from pathlib import Path

from common import parse_arguments
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

TEXTS = [
    "a<x>b<y>",
    " a <x> b \n<y>\n c <|end|>  the  The",
    "<think>Hello</think> the end<z>",
    "\u00e9 e\u0301 12 \u00bd the",
    " <x>\u3000<y>\u00a0 y<x><x> \u200b<x> y",
]


def added(content: str, **options) -> dict:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": content, **flags, **options}


def typed(content: str, **options) -> dict:
    return {"__type": "AddedToken", **added(content, **options)}


def base_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("\u0120", "a"), ("e", "n")]
    tokens = ["<|end|>", *alphabet, *(left + right for left, right in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    return tokenizer


BASE = json.loads(base_tokenizer().to_str())
NEXT = len(BASE["model"]["vocab"])
NFC = {"type": "NFC"}


def sequence(members: str, *parts: dict) -> dict:
    return {"type": "Sequence", members: list(parts)}


def directory(config: dict | None = None, tokenizer: dict | None = None, special_map: dict | None = None,
              tokens: dict | None = None, model_type: str = "llama") -> dict[str, str]:
    """Makes a directory. config: None for no tokenizer_config.json, else keys beside those that all have."""
    files = {"tokenizer.json": BASE | (tokenizer or {}), "config.json": {"model_type": model_type}}
    if config is not None:
        files["tokenizer_config.json"] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"} | config
    if special_map is not None:
        files["special_tokens_map.json"] = special_map
    if tokens is not None:
        files["added_tokens.json"] = tokens
    return {name: json.dumps(file, ensure_ascii=False) for name, file in files.items()}


def decoder(**tokens: dict) -> dict:
    return {"added_tokens_decoder": {number.removeprefix("n"): token for number, token in tokens.items()}}


def prefix_spaces() -> dict[str, dict]:
    """Sets add_prefix_space in tokenizer_config.json and in tokenizer.json, for classes that honour the first and others."""
    roles = {"bos_token": "<|end|>", "unk_token": "<|end|>", "pad_token": "<|end|>"}
    classes = ["GPT2TokenizerFast", "GPT2Tokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "CodeGenTokenizer"]
    made = {}
    for model_type in ("llama", "qwen3", "glm4", "glm", "glm4v"):
        for name in classes:
            for said in ({}, {"add_prefix_space": False}, {"add_prefix_space": True}):
                for own in (False, True):
                    tokenizer = {"pre_tokenizer": BASE["pre_tokenizer"] | {"add_prefix_space": own}}
                    title = f"{model_type}, {name}, {said}, tokenizer.json {own}"
                    made[title] = directory({"tokenizer_class": name} | said | roles, tokenizer, model_type=model_type)
    return made


def special_by_other_files() -> dict[str, dict]:
    """Tests that a token of added_tokens.json is found in other spellings, unless another file calls it special in time."""
    token = "e\u0301"
    ways = {
        "a role": ({"pad_token": token}, None),
        "a typed role": ({"pad_token": typed(token, normalized=True)}, None),
        "a role in the map": ({}, {"pad_token": {"content": token}}),
        "a role among extra": ({"extra_special_tokens": {"pad_token": token}}, None),
        "extra": ({"extra_special_tokens": [token]}, None),
        "typed extra": ({"extra_special_tokens": [typed(token)]}, None),
        "additional": ({"additional_special_tokens": [token]}, None),
        "extra in the map": ({}, {"extra_special_tokens": [{"content": token}]}),
        "additional in the map": ({}, {"additional_special_tokens": [token]}),
    }
    return {
        f"tokens, one special by {way}": directory(config, {"normalizer": NFC}, special_map, tokens={token: NEXT})
        for way, (config, special_map) in ways.items()
    }


def directories() -> dict[str, dict]:
    x, y, z = added("<x>"), added("<y>"), added("<z>")
    stripping = [
        added("<x>", lstrip=True, rstrip=True) | {"id": NEXT},
        added("<y>", rstrip=True, normalized=True) | {"id": NEXT + 1},
        added(" y") | {"id": NEXT + 2},
    ]
    gaps = [x | {"id": 1000}, y | {"id": 500}]
    nested = sequence("pretokenizers", sequence("pretokenizers", BASE["pre_tokenizer"]))
    untyped = {key: value for key, value in BASE["model"].items() if key != "type"}
    template = processors.TemplateProcessing(single="<|end|> $A <|end|>", special_tokens=[("<|end|>", 0)])
    around = {"post_processor": sequence("processors", json.loads(template.__getstate__()))}
    return {
        "nothing more": directory({}),
        "no tokenizer_config.json": directory(),
        "decoder": directory(decoder(n300=added("<think>"), n303=added("</think>"))),
        "decoder, ids the other way round": directory(decoder(n302=x, n301=y)),
        "decoder, numbers are no texts": directory(decoder(n1000=x, n301=y)),
        "decoder, an id of the vocabulary": directory(decoder(n5=x)),
        "decoder, a token of the vocabulary": directory(decoder(n9=added("the"))),
        "decoder, other options": directory(decoder(n0=added("<|end|>", lstrip=True, rstrip=True))),
        "decoder, some options": directory(decoder(n0={"content": "<|end|>", "lstrip": True})),
        "decoder, empty": directory(decoder(), tokens={"<x>": NEXT}),
        "additional": directory({"additional_special_tokens": ["<y>", "<x>"]}),
        "additional, typed": directory({"additional_special_tokens": [typed("<y>", lstrip=True), "<x>"]}),
        "extra before additional": directory({"extra_special_tokens": ["<y>"], "additional_special_tokens": ["<z>"]}),
        "extra empty": directory({"extra_special_tokens": [], "additional_special_tokens": ["<z>"]}),
        "extra by name": directory({"z_token": "<z>", "extra_special_tokens": {"b_token": "<x>", "a_token": "<y>"}}),
        "own names": directory({"z_token": "<x>", "a_token": "<y>", "m_token": typed("<z>", rstrip=True)}),
        "extra by the older name": directory({"additional_special_tokens": {"b_token": "<x>"}}),
        "extra, but null in the map": directory({"extra_special_tokens": ["<x>"]}, special_map={"extra_special_tokens": None}),
        "own names together": directory({"model_specific_special_tokens": {"z_token": "<z>", "a": typed("<x>", lstrip=True)}}),
        "own names together, of no effect beside others": directory(
            {"model_specific_special_tokens": {"z_token": "<z>"}, "a_token": "<y>"}
        ),
        "own names together, of no effect beside extra": directory(
            {"model_specific_special_tokens": {"z_token": "<z>"}, "extra_special_tokens": {"a_token": "<x>"}}
        ),
        "own names together, extra, map": directory(
            {"model_specific_special_tokens": {"z_token": "<z>"}, "extra_special_tokens": ["<think>"]},
            special_map={"a_token": "<x>", "extra_special_tokens": {"b_token": "<y>"}},
        ),
        "roles, own names, extra": directory({"z_token": "<x>", "pad_token": "<y>", "extra_special_tokens": ["<z>"]}),
        "a new end": directory({"eos_token": "<x>"}),
        "padding is a word": directory({"pad_token": "the"}),
        "typed role": directory({"pad_token": typed("<x>", rstrip=True)}),
        "map": directory({}, special_map={"pad_token": "<y>", "additional_special_tokens": ["<x>", "<z>"]}),
        "map beside additional": directory(
            {"additional_special_tokens": ["<y>"]}, special_map={"additional_special_tokens": ["<x>"]}
        ),
        "map, extra": directory({"extra_special_tokens": ["<y>"]}, special_map={"extra_special_tokens": ["<x>", "<y>"]}),
        "map, extra by name": directory({"z_token": "<y>"}, special_map={"extra_special_tokens": {"a_token": "<x>"}}),
        "map, object": directory({}, special_map={"pad_token": {"content": "<x>", "lstrip": True}}),
        "map, null": directory({"pad_token": "<x>"}, special_map={"pad_token": None, "unk_token": "<y>"}),
        "map, own names": directory(
            {"b_token": "<z>", "c_token": typed("<think>")}, special_map={"z_token": "<x>", "a_token": {"content": "<y>"}}
        ),
        "map and tokens beside a decoder": directory(
            decoder(n0=added("<|end|>")), special_map={"eos_token": "<x>"}, tokens={"<y>": NEXT}
        ),
        "map and tokens alone": directory(special_map={"pad_token": "<z>"}, tokens={"<y>": 300, "<x>": NEXT}),
        "tokens": directory({}, tokens={"<y>": 300, "<x>": NEXT}),
        "tokens, a listed id": directory({}, tokens={"<y>": 0, "<x>": NEXT}),
        "tokens, a listed token": directory({}, tokens={"<|end|>": 300, "<x>": 299}),
        "tokens, one special": directory(
            {"pad_token": "<x>"}, tokenizer={"normalizer": NFC}, tokens={"<y>": 300, "<x>": 299}
        ),
        **special_by_other_files(),
        "gaps": directory({}, {"added_tokens": gaps}),
        "gaps and decoder": directory(decoder(n1000=x, n500=y, n0=added("<|end|>"), n501=z), {"added_tokens": gaps}),
        "two ids": directory({}, {"added_tokens": [added("<|end|>") | {"id": 7}]}),
        "stripping": directory({}, {"added_tokens": stripping}),
        "stripping what is stripped": directory(
            {}, {"added_tokens": [y | {"id": NEXT, "rstrip": True}, added("\n", lstrip=True, rstrip=True) | {"id": NEXT + 1}]}
        ),
        "roles of one token": directory(
            {"sep_token": "<x>", "pad_token": typed("<x>", lstrip=True), "image_token": "<x>", "a_token": typed("<y>")}
        ),
        "extra, twice": directory({"extra_special_tokens": ["<y>", typed("<y>", rstrip=True)]}),
        "normalizer, empty": directory({}, {"normalizer": sequence("normalizers")}),
        "normalizer, nested": directory({}, {"normalizer": sequence("normalizers", sequence("normalizers", NFC), NFC)}),
        "pre-tokenizer, nested": directory({}, {"pre_tokenizer": nested}),
        "decoder, a sequence": directory({}, {"decoder": sequence("decoders", BASE["decoder"])}),
        "model, no type": directory({}, {"model": untyped}),
        "post-processor": directory({"add_bos_token": False, "add_eos_token": False}, around),
        "no post-processor": directory({"add_bos_token": True, "add_eos_token": True, "bos_token": "<|end|>"}),
        "without effect": directory(
            {"errors": "replace", "model_max_length": 5, "clean_up_tokenization_spaces": True, "legacy": True},
            {"truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}},
        ),
        **prefix_spaces(),
    }


def describe(name: str, files: dict[str, str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (Path(folder) / file).write_text(text, encoding="utf-8")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
        whole = [tokenizer.encode(text) for text in TEXTS]
    return {"name": name, "files": files, "texts": TEXTS, "ids": ids, "whole": whole}


def main() -> None:
    arguments = parse_arguments(__doc__, "the JSON file")
    described = [describe(name, files) for name, files in directories().items()]
    arguments.out.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
