"""Parts that the reference scripts share: arguments, texts, the tokenizer out of the GGUF file, and one way to save."""

import argparse
import functools
import importlib.metadata
import json
from pathlib import Path

import gguf
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

ASSETS = Path(__file__).resolve().parents[2] / "build" / "assets"
GGUF_NAME = "smollm2-135m-instruct.gguf"
HANDBOOK_NAME = "debian-handbook.jsonl"
LIBRARIES = (
    "torch",
    "torchaudio",
    "torchvision",
    "transformers",
    "timm",
    "tokenizers",
    "gguf",
    "safetensors",
    "numpy",
    "pillow",
    "soundfile",
    "onnxruntime",
    "compressed-tensors",
)
NUM_THREADS = 1  # two threads finish little sooner, and waste most of their time beside other tests


def parse_arguments(docstring: str, out_help: str, **inputs: str) -> argparse.Namespace:
    """Parses --out, --assets and a required path for each input (name=help); fixes the thread count, too."""
    parser = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help=out_help)
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder with the GGUF file and the texts")
    for name, help_text in inputs.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=help_text)
    torch.set_num_threads(NUM_THREADS)
    return parser.parse_args()


def library_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def save(path: Path, tensors: dict[str, torch.Tensor], script: str, **facts) -> None:
    """Writes tensors with metadata: `script`, `versions` (JSON) and the facts (text as text, the rest as JSON)."""
    metadata = {"script": Path(script).name, "versions": json.dumps(library_versions())}
    metadata |= {key: fact if isinstance(fact, str) else json.dumps(fact) for key, fact in facts.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)


def read_texts(path: Path) -> list[str]:
    """The texts of a JSONL file of {"text": …} lines."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


@functools.cache  # parsing 150 000 strings takes seconds
def open_gguf(path: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(path)


def read_key(path: Path, key: str):
    """The value of one GGUF key as a Python object."""
    return open_gguf(path).fields[key].contents()


def tokenizer_from_gguf(path: Path) -> Tokenizer:
    """The byte-level BPE that the model's authors published: every digit by itself, then GPT-2's pattern.

    transformers' own GGUF import is not used: it drops the split of digits.
    """
    assert read_key(path, "tokenizer.ggml.model") == "gpt2"
    assert read_key(path, "tokenizer.ggml.pre") == "smollm"
    tokens = read_key(path, "tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in read_key(path, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    types = read_key(path, "tokenizer.ggml.token_type")
    control = [token for token, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer
