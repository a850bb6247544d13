"""Makes every expected value the C++ tests read, in one folder; what is up to date stays.

  make.py --out DIR [--assets DIR] [--anew SCRIPT ...]
Each script runs in a fork of this process, which has imported the libraries once for all. A script runs when its text, a module it shares, an installed package, an asset or a script it builds on has changed since
DIR was made (DIR/made.json holds the hashes), when its output is missing, or when --anew names it.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import runpy
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parents[1] / "build" / "assets"
TEXTS = HERE.parent / "data" / "texts"
TEMPLATES = HERE.parent / "data" / "templates"

# Script -> its output inside --out, and inputs out of the same folder: --name -> the script that makes it.
JOBS = {
    "gguf_blocks": ("gguf_blocks", {}),
    "onnx_quantize": ("onnx_quantize.safetensors", {}),
    "tiny_llama": ("tiny_llama", {}),
    "tiny_families": ("tiny_families", {}),
    "glm4_9b": ("glm4_9b", {}),
    "int8_export": ("int8_export", {"tiny": "tiny_llama"}),
    "smollm2_logits": ("smollm2", {}),
    "generation": ("generation.json", {"tiny": "tiny_llama", "families": "tiny_families"}),
    "tokens": ("tokens", {}),
    "vendor_tokenizers": ("vendor_tokenizers", {"tokens": "tokens"}),
    "tokenizer_directories": ("tokenizer_directories.json", {}),
    "chat_templates": ("chat_templates.json", {}),
    "conversations": ("conversations.json", {"tokens": "tokens"}),
    "packed_codes": ("packed_codes.safetensors", {}),
    "log_mel": ("log_mel.safetensors", {}),
    "vit": ("vit", {}),
    "conformer": ("conformer", {}),
    "whisper": ("whisper", {}),
    "glm4v": ("glm4v", {}),
    "towers": ("towers", {}),
    "composition": ("composition", {"vit": "vit", "conformer": "conformer", "whisper": "whisper"}),
    "images": ("images", {}),
    "image_processors": ("image_processors", {}),
    "audio": ("audio", {}),
    "error_rates": ("error_rates.json", {}),
}


# Scripts that read what tools/fetch_assets.py --towers has fetched -> another script that they import.
OF_TOWERS = {"vendor_tokenizers": "chat_templates", "towers": "log_mel"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--anew", nargs="*", choices=JOBS, default=[], metavar="SCRIPT", help=f"of {', '.join(JOBS)}")
    return parser.parse_args()


def hash_of(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def is_shared(script: Path) -> bool:
    return script.stem not in JOBS and script.stem != "make" and not script.stem.startswith("check_")


def shared_hash(assets: Path) -> str:
    """The hash of everything that any script may depend on."""
    modules = filter(is_shared, HERE.glob("*.py"))
    data = [*assets.glob("*.gguf"), *assets.glob("*.jsonl"), *TEXTS.iterdir(), *TEMPLATES.iterdir()]
    packages = sorted(f"{package.name} {package.version}" for package in importlib.metadata.distributions())
    return hash_of(*(path.read_bytes() for path in sorted([*modules, *data])), *map(str.encode, packages))


def towers_hashes(name: str, assets: Path) -> list[bytes]:
    """The lists of others' encoders and tokenizers that could be had, which hold all files' hashes, and the imported script."""
    lists = sorted((assets / "towers").glob("ASSETS-*.json"))
    return [path.read_bytes() for path in (*lists, HERE / f"{OF_TOWERS[name]}.py")]


def import_libraries() -> None:
    """Imports, once, what takes seconds and most scripts need. Nothing is computed here: a fork would lack torch's threads."""
    import timm  # noqa: F401
    import torchaudio  # noqa: F401
    from transformers import AutoTokenizer, Glm4vForConditionalGeneration, LlamaForCausalLM, ViTModel  # noqa: F401


def run_here(command: list[str], log: int) -> int:
    """Runs a script as `python command...` would, its output in `log`; returns its exit status."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = command
    sys.path[0] = str(HERE)
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        return 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def run(name: str, arguments: argparse.Namespace) -> None:
    output, inputs = JOBS[name]
    command = [HERE / f"{name}.py", "--out", arguments.out / output, "--assets", arguments.assets]
    for option, source in inputs.items():
        command += [f"--{option}", arguments.out / JOBS[source][0]]
    began = time.monotonic()
    sys.stdout.flush()
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            os._exit(run_here([str(word) for word in command], log.fileno()))
        _, status = os.waitpid(child, 0)
        if status != 0:
            log.seek(0)
            sys.exit(f"{log.read().decode(errors='replace')}\n{name}.py failed")
    print(f"{name}: made in {time.monotonic() - began:.1f} s")


def main() -> None:
    arguments = parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = arguments.out / "made.json"
    made = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    shared = shared_hash(arguments.assets)
    hashes = {}
    for name, (output, inputs) in JOBS.items():
        sources = [hashes[source].encode() for source in inputs.values()]
        sources += towers_hashes(name, arguments.assets) if name in OF_TOWERS else []
        hashes[name] = hash_of(shared.encode(), (HERE / f"{name}.py").read_bytes(), *sources)
        if name not in arguments.anew and made.get(name) == hashes[name] and (arguments.out / output).exists():
            print(f"{name}: up to date")
            continue
        import_libraries()
        run(name, arguments)
        made[name] = hashes[name]
        record.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
