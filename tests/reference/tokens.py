"""Ids that Hugging Face's `tokenizers` gives for more than 1 MB of mixed text, with the vocabulary of the GGUF file.

Makes in --out:
  tokenizer/tokenizer.json  the tokenizer, as `tokenizers` writes it
  tokens.json               texts: [{name, text, ids}], with `decoded` where it is not the text, and with `hex` where the text
                            is what Python's errors="replace" makes of these bytes. variants: [{name, patch, ids}], the same
                            tokenizer after a JSON merge patch, ids for each of short_texts. fragments: [{ids, text}], ids in
                            random order and what they decode to. families: [{name, tokenizer, texts}], small tokenizers of the
                            kinds that GLM-4, Qwen2 and Llama 3 have. versions
Characters are those that Unicode had assigned in version 14, which PCRE2 10.42 knows.
"""

import json
import random
import sysconfig
import unicodedata
from pathlib import Path

from common import GGUF_NAME, library_versions, parse_arguments, read_texts, tokenizer_from_gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LANGUAGES = Path(__file__).resolve().parents[1] / "data" / "texts" / "languages.txt"
SEED = 20240607
LEAST_BYTES = 1_000_000

SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x85", "\xa0", "\u1680", "\u180e", "\u2003"]
SPACES += ["\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", " \n", "\n ", " \t "]
NUMBERS = ["0", "7", "42", "1234567890", "3.14159", "1,000,000", "²", "½", "Ⅷ", "①", "٣٤", "४२", "一二", "𝟘𝟙", "0x1F", "1e-9"]
WORDS = ["I'll", "don't", "WE'RE", "it's", "ſ'ſ", "'S", "''", "x'", "naïve", "ﬀ", "Straße", "foo_bar", "e\u0301", "한국", "日本"]
SYMBOLS = ["!", "...", "->", "();", "€", "—", "“”", "👍", "👩‍👩‍👧", "🇩🇪", "✊🏽", "\u200d", "\ufffd", "\x00", "\x7f", "<|", "|>"]

LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(add_prefix_space: bool = False, use_regex: bool = True) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def split(pattern: str, behavior: str, invert: bool) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def before_bytes(step: dict, last: dict) -> dict:
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [step, last]}}


# Pattern, normalizer, options of BPE and some of the special tokens.
FAMILIES = {
    "glm4": (LLAMA_PATTERN, None, {}, ["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"]),
    "qwen2": (LLAMA_PATTERN.replace("{1,3}", ""), normalizers.NFC(), {}, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
    "llama3": (LLAMA_PATTERN, None, {"ignore_merges": True}, ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>"]),
}

VARIANTS = {
    "gpt-2": {"pre_tokenizer": byte_level()},
    "llama-bpe": before_bytes(split(LLAMA_PATTERN, "Isolated", False), byte_level(use_regex=False))
    | {"model": {"ignore_merges": True}},
    "prefix space": {"pre_tokenizer": byte_level(add_prefix_space=True)},
    "runs of digits": before_bytes({"type": "Digits", "individual_digits": False}, byte_level(use_regex=False)),
    "removed": before_bytes(split(r"\s+|\p{Han}", "Removed", False), byte_level()),
    "removed, inverted": before_bytes(split(r"[^\s\d]+|\d", "Removed", True), byte_level(use_regex=False)),
    "unknown": {"model": {"unk_token": "<|endoftext|>", "fuse_unk": False}},
    "unknown, fused": {"model": {"unk_token": "<|endoftext|>", "fuse_unk": True}},
}


def assigned_characters() -> list[str]:
    characters = map(chr, range(0x110000))
    return [c for c in characters if unicodedata.category(c) not in ("Cn", "Cs", "Co")]


def standard_library(size: int) -> str:
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(folder.glob("*.py"))
    return "".join(path.read_text(encoding="utf-8") for path in files)[:size]


def languages(generator: random.Random, lines: int) -> str:
    known = LANGUAGES.read_text(encoding="utf-8").splitlines()
    return "\n".join(generator.choice(known) for _ in range(lines))


def medley(generator: random.Random, pieces: int, special: list[str]) -> str:
    """Mixes words, numbers, odd spaces, symbols and special tokens, in any order."""
    kinds = [SPACES, SPACES, NUMBERS, WORDS, SYMBOLS, special]
    return "".join(generator.choice(generator.choice(kinds)) for _ in range(pieces))


def broken_bytes(generator: random.Random, size: int) -> bytes:
    """Makes UTF-8 in which bytes were dropped, doubled or made up."""
    whole = ("".join(generator.choices(["é", "€", "𝄞", "a ", "\ud7ff", "\ue000", "\U0010ffff"], k=size))).encode()
    broken = bytearray()
    for byte in whole:
        broken += generator.choices([bytes([byte]), b"", bytes([byte, byte]), generator.randbytes(1)], [90, 4, 2, 4])[0]
    return bytes(broken) + bytes(range(256)) + b"\xed\xa0\x80\xf4\x90\x80\x80\xe0\x80\x80\xf0\x80\x80\x80\xe2\x82"


def mixed_texts(assets: Path, special: list[str]) -> dict[str, str]:
    generator = random.Random(SEED)
    assigned = assigned_characters()
    return {
        "handbook": "\n".join(read_texts(assets / "debian-handbook.jsonl"))[:400_000],
        "python documentation": "\n".join(read_texts(assets / "python-doc.jsonl"))[:200_000],
        "code": standard_library(200_000),
        "languages": languages(generator, 400),
        "every character": "".join(assigned),
        "random characters": "".join(generator.choices(assigned, k=20_000)),
        "medley": medley(generator, 30_000, special),
        "one long word": "ab" * 20_000,
        "empty": "",
    }


def describe(tokenizer: Tokenizer, name: str, text: str) -> dict:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    decoded = tokenizer.decode(ids, skip_special_tokens=False)
    return {"name": name, "text": text, "ids": ids} | ({} if decoded == text else {"decoded": decoded})


def describe_broken(tokenizer: Tokenizer) -> dict:
    raw = broken_bytes(random.Random(SEED), 5_000)
    return describe(tokenizer, "no UTF-8", raw.decode("utf-8", errors="replace")) | {"hex": raw.hex()}


def describe_variant(tokenizer: Tokenizer, name: str, patch: dict, texts: list[str]) -> dict:
    description = json.loads(tokenizer.to_str())
    model = description["model"] | patch.get("model", {})
    variant = Tokenizer.from_str(json.dumps(description | patch | {"model": model}))
    return {"name": name, "patch": patch, "ids": [variant.encode(text, add_special_tokens=False).ids for text in texts]}


# Marks that Unicode has assigned since version 9, which the tables of `tokenizers` know: NFC leaves them where they are.
LATER_MARKS = "\u07fd\u0898\u0899\u089b\u08ca\u08d0\u0eba\u1ac1\u1dfa\u1df9\u0d3b\U00010d24\U00011070\U00011935\U00011930\U0001e130"


def family_texts(texts: dict[str, str]) -> dict[str, str]:
    generator = random.Random(SEED)
    kinds = [*SPACES, "\r\n", *NUMBERS, "007", "x", "-", ".", "'S", "Don'T"]
    return {name: texts[name] for name in ("languages", "random characters", "medley", "empty")} | {
        "handbook": texts["handbook"][:100_000],
        "taken apart": unicodedata.normalize("NFD", texts["languages"]),
        "marks": "".join(generator.choices("aeoAcnux q\u00e9\u1ea1\uac00\u1100\u1161\u0300\u0301\u0307\u0308\u0323\u0327\u0345\u3099", k=5_000)),
        "later marks": "".join(generator.choices("aeo\u0301\u0323\u0327\u0e38\u094d" + LATER_MARKS, k=3_000)),
        "carriage returns": texts["code"][:30_000].replace("\n", "\r\n"),
        "digits and spaces": "".join(generator.choices(kinds, k=5_000)),
    }


def train_family(pattern: str, normalizer, options: dict, special: list[str], texts: list[str]) -> Tokenizer:
    """Trains a tokenizer like those of a family's models, with a small vocabulary of its own."""
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.normalizer = normalizer
    isolated = pre_tokenizers.Split(Regex(pattern), "isolated", invert=False)
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([isolated, bytes_of])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1_000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def describe_family(name: str, texts: dict[str, str]) -> dict:
    pattern, normalizer, options, special = FAMILIES[name]
    tokenizer = train_family(pattern, normalizer, options, special, list(texts.values()))
    generator = random.Random(SEED)
    words = texts["handbook"][:20_000].split(" ")
    chat = {"chat": "".join(generator.choice(special) + word for word in words)}
    described = [describe(tokenizer, title, text) for title, text in (texts | chat).items()]
    return {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "texts": described}


def describe_fragments(tokenizer: Tokenizer) -> list[dict]:
    generator = random.Random(SEED)
    lists = [generator.choices(range(tokenizer.get_vocab_size()), k=1_000) for _ in range(10)]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)} for ids in lists]


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for tokenizer/tokenizer.json and tokens.json")
    tokenizer = tokenizer_from_gguf(arguments.assets / GGUF_NAME)
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    texts = mixed_texts(arguments.assets, special)
    assert sum(len(text.encode()) for text in texts.values()) >= LEAST_BYTES
    short_texts = [texts[name][:20_000] for name in ("code", "languages", "random characters", "medley")]
    expected = {
        "versions": library_versions(),
        "texts": [describe(tokenizer, name, text) for name, text in texts.items()] + [describe_broken(tokenizer)],
        "short_texts": short_texts,
        "variants": [describe_variant(tokenizer, name, patch, short_texts) for name, patch in VARIANTS.items()],
        "fragments": describe_fragments(tokenizer),
        "families": [describe_family(name, family_texts(texts)) for name in FAMILIES],
    }
    (arguments.out / "tokenizer").mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(arguments.out / "tokenizer" / "tokenizer.json"))
    (arguments.out / "tokens.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
