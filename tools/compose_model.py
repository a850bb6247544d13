#!/usr/bin/env python3
"""Puts a decoder and encoders together into one model directory (docs/models-and-data.md), with new alignment layers between.

  tools/compose_model.py --decoder DIR --out DIR
                         [--vision DIR --image-token TOKEN] [--audio DIR --audio-token TOKEN]
                         [--image-merge N] [--audio-merge N] [--intermediate N] [--queries N]
                         [--no-system-prompt] [--seed N]

Example:
  tools/compose_model.py --decoder build/smollm2 --vision build/assets/towers/vit-small-patch14 --image-token '<file_sep>' \\
                         --out build/smollm2-eyes

DIRs are Hugging Face directories with model.safetensors; a GGUF file becomes one by `dualpath calibrate` and `dualpath export`
of a recipe with `quantize: null`. The tokens are placeholders: tokens of the decoder's tokenizer that texts do not use otherwise.
Alignment layers know nothing yet: recipes/own_alignment.yaml trains them. Tensors are copied byte for byte. Standard library only.
"""

from __future__ import annotations

import argparse
import array
import json
import mmap
import random
import shutil
import statistics
import struct
import sys
import tempfile
from pathlib import Path

import safetensors_file
from safetensors_file import Tensor

PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TEMPLATE = "chat_template.jinja"
# Stands before the decoder's own chat template: a content's parts become one text, pictures and clips their tokens.
PARTS_AS_TEXT = """\
{%- set joined = namespace(messages=[], text='') -%}
{%- for message in messages -%}
  {%- if message['content'] is string -%}
    {%- set joined.messages = joined.messages + [message] -%}
  {%- else -%}
    {%- set joined.text = '' -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'text' -%}
        {%- set joined.text = joined.text + part['text'] -%}
TOKENS
      {%- else -%}
        {{- raise_exception('a part of a content is neither text nor a kind that this model takes') -}}
      {%- endif -%}
    {%- endfor -%}
    {%- set joined.messages = joined.messages + [{'role': message['role'], 'content': joined.text}] -%}
  {%- endif -%}
{%- endfor -%}
{%- set messages = joined.messages -%}
"""
# Stands behind it with --no-system-prompt.
EMPTY_SYSTEM = """{%- if messages[0]['role'] != 'system' -%}
  {%- set messages = [{'role': 'system', 'content': ''}] + messages -%}
{%- endif -%}
"""
TOKEN = """\
      {%- elif part['type'] == 'MODALITY' -%}
        {%- set joined.text = joined.text + 'TOKEN' -%}"""


class ComposeError(Exception):
    """A message for the user."""


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ComposeError(f"{path}: {error}") from error


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a file; the data is a view of the mapped file."""
    path = folder / "model.safetensors"
    try:
        with path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ComposeError(f"{path}: {error}") from error
    size = int.from_bytes(mapped[:8], "little")
    header = json.loads(bytes(mapped[8 : 8 + size]))
    header.pop("__metadata__", None)
    data = mapped[8 + size :]
    return {name: Tensor(entry["dtype"], tuple(entry["shape"]), data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


class Fresh:
    """New tensors, the same for a seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def filled(self, shape: tuple[int, ...], value: float) -> Tensor:
        count = 1
        for size in shape:
            count *= size
        return Tensor("F32", shape, array.array("f", [value] * count).tobytes())

    def normal(self, shape: tuple[int, ...], deviation: float) -> Tensor:
        count = 1
        for size in shape:
            count *= size
        return Tensor("F32", shape, array.array("f", (self.random.gauss(0, deviation) for _ in range(count))).tobytes())

    def linear(self, name: str, inputs: int, outputs: int, gain: float = 1.0) -> dict[str, Tensor]:
        weight = self.normal((outputs, inputs), gain * inputs**-0.5)
        return {f"{name}.weight": weight, f"{name}.bias": self.filled((outputs,), 0.0)}


def deviation(table: Tensor) -> float:
    """The standard deviation of a decoder's table of tokens, by some of its values."""
    size, code = {"F32": (4, "<f"), "F16": (2, "<e"), "BF16": (2, "<f")}[table.dtype]
    step = (len(table.data) // size // 4096 | 1) * size  # odd, so that all columns are met
    filled = b"\0\0" if table.dtype == "BF16" else b""  # bfloat16 is the upper half of a float32
    values = [struct.unpack(code, filled + bytes(table.data[at : at + size]))[0] for at in range(0, len(table.data), step)]
    return statistics.pstdev(values)


def alignment(fresh: Fresh, config: dict, merged: int, width: int, decoder: int, scale: float) -> dict[str, Tensor]:
    """A CMAL's tensors, as modules/encoders/cmal.h names them.

    merged: how many hidden states become one. scale: the deviation of the decoder's tokens. States that are as large as tokens
    are learned from sooner.
    """
    inner = config["intermediate_size"]
    tensors = {"norm.weight": fresh.filled((width,), 1.0), "norm.bias": fresh.filled((width,), 0.0)}
    tensors |= fresh.linear("fc1", merged * width, inner) | fresh.linear("fc2", inner, decoder, scale)
    tensors["modality"] = fresh.filled((1, 1, decoder), 0.0)
    if config.get("num_queries"):
        tensors["queries"] = fresh.normal((1, config["num_queries"], decoder), 0.02)
        for name in ("query", "key", "value"):
            tensors |= fresh.linear(name, decoder, decoder)
        tensors |= fresh.linear("output", decoder, decoder, scale)
    return tensors


def token_id(folder: Path, token: str) -> int:
    tokenizer = read_json(folder / "tokenizer.json")
    for added in tokenizer.get("added_tokens", []):
        if added["content"] == token:
            return added["id"]
    raise ComposeError(f"{folder / 'tokenizer.json'}: {token!r} is none of its added tokens, which alone are never cut: "
                       + ", ".join(added["content"] for added in tokenizer.get("added_tokens", [])))


def decoder_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """model.layers.0… becomes language_model.layers.0…; the head keeps its name."""
    return {f"language_model.{name.removeprefix('model.')}" if name.startswith("model.") else name: tensor
            for name, tensor in tensors.items()}


def width_of(config: dict) -> int:
    for key in ("hidden_size", "d_model"):
        if key in config:
            return config[key]
    raise ComposeError(f"{config.get('model_type')}: no hidden_size in its config.json")


def add_tower(kind: str, folder: Path, arguments: argparse.Namespace, config: dict, tensors: dict[str, Tensor]) -> None:
    tower, modality = read_json(folder / "config.json"), "image" if kind == "vision" else "audio"
    token = getattr(arguments, f"{modality}_token")
    if token is None:
        raise ComposeError(f"--{kind} needs --{modality}-token")
    decoder = width_of(config["text_config"])
    merge = getattr(arguments, f"{modality}_merge")
    aligned = {"merge_size": merge, "intermediate_size": arguments.intermediate or decoder}
    if arguments.queries and kind == "audio":
        aligned |= {"num_queries": arguments.queries, "num_attention_heads": config["text_config"]["num_attention_heads"]}
    config |= {f"{kind}_config": tower, f"{modality}_token_id": token_id(arguments.decoder, token), f"{kind}_alignment": aligned}
    merged = merge**2 if kind == "vision" else merge
    fresh = Fresh(arguments.seed + (kind == "audio"))
    tensors.update({f"{kind}_tower.{name}": tensor for name, tensor in read_tensors(folder).items()})
    scale = deviation(tensors["language_model.embed_tokens.weight"])
    new = alignment(fresh, aligned, merged, width_of(tower), decoder, scale)
    tensors.update({f"{kind}_alignment.{name}": tensor for name, tensor in new.items()})


def processor_of(folder: Path, key: str) -> dict:
    for name in PROCESSORS:
        if (folder / name).exists():
            config = read_json(folder / name)
            return {key: config.get(key, config)}
    raise ComposeError(f"{folder}: neither {' nor '.join(PROCESSORS)} is there")


def chat_template(folder: Path, tokens: dict[str, str], with_system: bool) -> str | None:
    """The decoder's template, for contents with parts, too; none if it has none. tokens: a modality's placeholder."""
    file, settings = folder / TEMPLATE, read_json(folder / "tokenizer_config.json")
    own = file.read_text(encoding="utf-8") if file.exists() else settings.get("chat_template")
    if not isinstance(own, str):
        return None
    cases = [TOKEN.replace("MODALITY", modality).replace("TOKEN", token) for modality, token in tokens.items()]
    return PARTS_AS_TEXT.replace("TOKENS", "\n".join(cases)) + ("" if with_system else EMPTY_SYSTEM) + own


def write_tokenizer(folder: Path, out: Path, tokens: dict[str, str], with_system: bool) -> None:
    """Copies the decoder's other files; its chat template lies in a file of its own, which wins over tokenizer_config.json's."""
    left_out = ("config.json", "model.safetensors", "dualpath.json", TEMPLATE, *PROCESSORS)
    for file in sorted(folder.iterdir()):
        if file.name not in left_out and file.is_file():
            shutil.copyfile(file, out / file.name)
    if template := chat_template(folder, tokens, with_system):
        (out / TEMPLATE).write_text(template, encoding="utf-8")


def compose(arguments: argparse.Namespace) -> None:
    if arguments.out.exists():
        raise ComposeError(f"{arguments.out}: is there already")
    config = {"model_type": "dualpath_multimodal", "text_config": read_json(arguments.decoder / "config.json")}
    if config["text_config"].get("quantization_config"):
        raise ComposeError(f"{arguments.decoder}: is quantized; the decoder must be a float model")
    config["dtype"] = config["text_config"].get("dtype", config["text_config"].get("torch_dtype", "float32"))
    tensors, processors = decoder_names(read_tensors(arguments.decoder)), {}
    for kind, key in (("vision", "image_processor"), ("audio", "feature_extractor")):
        if folder := getattr(arguments, kind):
            add_tower(kind, folder, arguments, config, tensors)
            processors |= processor_of(folder, key)
    extractor = processors.get("feature_extractor", {})
    if extractor.get("feature_extractor_type") == "WhisperFeatureExtractor":
        extractor["return_attention_mask"] = True  # the decoder gets a clip's own states, not those of 30 s
    if not processors:
        raise ComposeError("nothing to put together: give --vision, --audio or both")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{arguments.out.name}.tmp-", dir=arguments.out.parent))
    try:
        aside.chmod(0o755)
        tokens = {modality: token for modality, token in (("image", arguments.image_token), ("audio", arguments.audio_token)) if token}
        write_tokenizer(arguments.decoder, aside, tokens, not arguments.no_system_prompt)
        safetensors_file.write(aside / "model.safetensors", tensors)
        for name, content in (("config.json", config), ("processor_config.json", processors)):
            (aside / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        aside.rename(arguments.out)
    except BaseException:
        shutil.rmtree(aside)
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--decoder", "--out"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--vision", "--audio"):
        parser.add_argument(name, type=Path)
    for name in ("--image-token", "--audio-token"):
        parser.add_argument(name)
    parser.add_argument("--image-merge", type=int, default=2, help="squares of so many patches a side become one (2)")
    parser.add_argument("--audio-merge", type=int, default=2, help="so many frames in a row become one (2)")
    parser.add_argument("--intermediate", type=int, help="width between the two linears (the decoder's)")
    parser.add_argument("--queries", type=int, default=0, help="learned queries that read a clip (0: none)")
    parser.add_argument("--no-system-prompt", action="store_true",
                        help="leaves out the system's turn that the decoder's chat template writes by itself: fewer tokens a sample")
    parser.add_argument("--seed", type=int, default=0)
    try:
        compose(parser.parse_args())
    except ComposeError as error:
        print(f"compose_model: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
