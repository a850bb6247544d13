"""Checks an INT8 export with the libraries it is meant for; prints one JSON object, or exits 1 with a message.

  check_export.py DIR --logits FILE [--max-kl 1e-4] [--min-agreement 0.999]
  check_export.py --serve     one process for many exports: each line of standard input is a JSON list of arguments as above,
                              each line of standard output {"report": ...} or {"failure": message}
DIR holds config.json with a compressed-tensors quantization_config of format int-quantized, pack-quantized or mixed-precision,
safetensors and tokenizer files. FILE holds what the exporting program computes for the INT8 model without corrections, each row of ids alone:
  ids [B, T] int64; logits [B, T, V] float32; and, for a lock-step check, hidden [B, L + 1, T, H] float32, the embeddings and
  each layer's output before the final norm.

Why lock-step: an INT8 model with large outliers is chaotic. transformers multiplies scaled codes in float32, where an integer
kernel sums exactly; the last bit differs, one code in a million lies so near a tie that it flips, and a few layers on nothing
is alike. (SmolLM2 in static INT8, 128 tokens: KL 0.37 between transformers in float32 and itself in float64.) So each layer
is given FILE's own input and must give FILE's output, and the head FILE's last hidden state; the limits hold for logits made
that way. The KL of a free run is held to twice transformers' own, float32 against float64. Without `hidden` the limits hold
for the free run.

Dynamic inputs carry no scales; ours are absmax / 127 a token, compressed-tensors' absmax / 127.5, and that is another model.
So transformers computes with our formula in its place; own_scales, for the record, compares FILE with a free run by its own.

Packed zero points (weight_zero_point of pack-quantized weights) do not load in transformers 5.23 by itself; packed_zero_points()
says why, and mends it.

Reported: free_run and lock_step, each with kl (nats, mean over positions, KL(FILE || transformers)), agreement (share of equal
top tokens), max_difference of logits; lock_step also layers_alike, the share of (token, layer) pairs where the layer's update
differs by less than ALIKE of its length, and worst_median, the largest of the layers' medians of that difference; noise_kl,
of the free run in float32 against float64; tokens; linears (how many are quantized), packed (how many of these in words), dynamic (how many by token), weight_only (how
many with inputs in float);
own_scales where there are such; tensors (how many the directory holds);
vocabulary (of the tokenizer); weights: name -> shape, sha256 of (code - zero point) * scale as little-endian float32;
versions.
Checked besides: every tensor can be read; scales are float32, finite, positive and of the format's shape; symmetric codes lie in
[-127, 127] (7 of 4 bits); transformers misses no tensor, finds none unknown, and its dequantized weights equal ours; the tokenizer gives
back what it splits.
"""

import argparse
import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path

import torch
from common import NUM_THREADS, library_versions
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor, unpack_from_int32
from compressed_tensors.quantization import QuantizationConfig, QuantizationScheme
from compressed_tensors.quantization.lifecycle import forward as compressed_tensors_forward
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

SAMPLE = "INT8 weights, 123 scales;\n\tnaïve café – done."
ALIKE = 1e-4
MIN_LAYERS_ALIKE = 0.98


class CheckFailed(Exception):
    pass


def require(condition: bool, message: str) -> None:
    if not condition:
        raise CheckFailed(message)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--max-kl", type=float, default=1e-4)
    parser.add_argument("--min-agreement", type=float, default=0.999)
    return parser.parse_args(words)


# --- Checks by safetensors alone ---


def read_tensors(directory: Path) -> dict[str, torch.Tensor]:
    """Reads the model's tensors, and correction.safetensors, of which transformers must know nothing."""
    files = sorted(directory.glob("*.safetensors"))
    require(bool(files), "no safetensors file")
    contents = {file.name: load_file(file) for file in files}
    contents.pop("correction.safetensors", None)
    return {name: tensor for tensors in contents.values() for name, tensor in tensors.items()}


def is_static(scheme: QuantizationScheme) -> bool:
    return scheme.input_activations is not None and not scheme.input_activations.dynamic


def read_schemes(directory: Path, tensors: dict[str, torch.Tensor]) -> dict[str, QuantizationScheme]:
    """Linear's name -> its scheme, for each with a weight_scale. If there are several groups, targets are names."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))["quantization_config"]
    groups = [group for group in QuantizationConfig(**config).config_groups.values() if group.weights]  # without attention's groups
    linears = sorted(name.removesuffix(".weight_scale") for name in tensors if name.endswith(".weight_scale"))
    require(bool(linears), "no quantized linear")
    if len(groups) == 1:
        return {name: groups[0] for name in linears}
    named = {target: group for group in groups for target in group.targets}
    require(sorted(named) == linears, "the groups' targets are not the quantized linears")
    return {name: named[name] for name in linears}


def codes_of(name: str, tensors: dict[str, torch.Tensor], scheme: QuantizationScheme) -> torch.Tensor:
    if f"{name}.weight" in tensors:
        return tensors[f"{name}.weight"]
    shape = tensors[f"{name}.weight_shape"]
    return unpack_from_int32(tensors[f"{name}.weight_packed"], scheme.weights.num_bits, shape)


def zero_point_of(name: str, tensors: dict[str, torch.Tensor], scheme: QuantizationScheme, outputs: int) -> torch.Tensor:
    if scheme.weights.symmetric:
        return torch.zeros(1, 1)
    packed = tensors[f"{name}.weight_zero_point"]
    return unpack_from_int32(packed, scheme.weights.num_bits, (outputs, packed.size(1)), packed_dim=0)


def check_linear(name: str, tensors: dict[str, torch.Tensor], scheme: QuantizationScheme, codes: torch.Tensor) -> None:
    weights = scheme.weights
    most = 2 ** (weights.num_bits - 1) - 1
    require(not weights.symmetric or codes.min() >= -most, f"{name}.weight: a symmetric code below {-most}")
    groups = codes.size(1) // weights.group_size if weights.group_size else 1
    shapes = {"weight_scale": (codes.size(0), groups)} | ({"input_scale": (1,)} if is_static(scheme) else {})
    for kind, shape in shapes.items():
        scale = tensors.get(f"{name}.{kind}")
        require(scale is not None, f"{name}.{kind}: missing")
        found = f"{scale.dtype} {list(scale.shape)}"
        require(scale.dtype == torch.float32 and scale.shape == shape, f"{name}.{kind}: expected float32 {shape}, got {found}")
        require(bool((scale.isfinite() & (scale > 0)).all()), f"{name}.{kind}: not finite and positive")


def dequantize(tensors: dict[str, torch.Tensor], schemes: dict[str, QuantizationScheme]) -> dict[str, torch.Tensor]:
    """Linear's name -> float32 weight, for each quantized linear."""
    weights = {}
    for name, scheme in schemes.items():
        codes = codes_of(name, tensors, scheme)
        check_linear(name, tensors, scheme, codes)
        scale, zero_point = tensors[f"{name}.weight_scale"], zero_point_of(name, tensors, scheme, codes.size(0))
        by_group = codes.float().unflatten(1, (scale.size(1), -1))
        weights[name] = ((by_group - zero_point.float().unsqueeze(2)) * scale.unsqueeze(2)).flatten(1)
    return weights


def describe(weight: torch.Tensor) -> dict:
    return {"shape": list(weight.shape), "sha256": hashlib.sha256(weight.numpy().astype("<f4").tobytes()).hexdigest()}


# --- Checks by transformers ---


def check_tokenizer(directory: Path) -> int:
    tokenizer = AutoTokenizer.from_pretrained(directory)
    decoded = tokenizer.decode(tokenizer.encode(SAMPLE, add_special_tokens=False))
    require(decoded == SAMPLE, f"tokenizer: {SAMPLE!r} came back as {decoded!r}")
    return len(tokenizer)


def load_model(directory: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Asks for a dtype by name: with "auto", transformers rounds the scales to the dtype in config.json."""
    with packed_zero_points():
        model, info = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        require(not info[kind], f"transformers reports {kind}: {sorted(map(str, info[kind]))[:5]}")
    return model.eval()


def our_token_scales(value: torch.Tensor, **_) -> tuple[torch.Tensor, torch.Tensor]:
    """Replaces compressed-tensors' compute_dynamic_scales_and_zp."""
    absmax = value.abs().amax(-1, keepdim=True)
    scale = torch.where(absmax == 0, 1.0, absmax / 127)
    return scale, torch.zeros_like(scale)


@contextlib.contextmanager
def packed_zero_points():
    """transformers takes the shapes of a file's tensors from the compressor's meta branch, which leaves zero points unpacked
    (compressed-tensors 0.20): no asymmetric packed file would load."""
    kept = PackedQuantizationCompressor.compress

    def compress(state_dict: dict, scheme: QuantizationScheme) -> dict:
        compressed = kept(state_dict, scheme)
        zero_point = compressed.get("weight_zero_point")
        if zero_point is not None and zero_point.is_meta:
            rows = -(-zero_point.size(0) * scheme.weights.num_bits // 32)
            compressed["weight_zero_point"] = torch.empty(rows, zero_point.size(1), dtype=torch.int32, device="meta")
        return compressed

    PackedQuantizationCompressor.compress = compress
    yield
    PackedQuantizationCompressor.compress = kept


@contextlib.contextmanager
def token_scales(function):
    kept = compressed_tensors_forward.compute_dynamic_scales_and_zp
    compressed_tensors_forward.compute_dynamic_scales_and_zp = function
    yield
    compressed_tensors_forward.compute_dynamic_scales_and_zp = kept


def check_schemes(model: PreTrainedModel, tensors: dict[str, torch.Tensor], schemes: dict[str, QuantizationScheme]) -> int:
    """Checks that transformers reads each linear's scheme correctly. Returns how many find scales by token."""
    for name, scheme in schemes.items():
        found = model.get_submodule(name).quantization_scheme
        for part in ("weights", "input_activations"):
            require(getattr(found, part) == getattr(scheme, part), f"{name}: transformers takes its {part} otherwise")
        require(is_static(scheme) == (f"{name}.input_scale" in tensors), f"{name}: input_scale does not fit the scheme")
    return sum(bool(scheme.input_activations and scheme.input_activations.dynamic) for scheme in schemes.values())


def run(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    return torch.cat([model(window[None], use_cache=False).logits for window in ids])


def check_weights(model: PreTrainedModel, weights: dict[str, torch.Tensor]) -> None:
    """Checks weights after a first run, in which compressed-tensors dequantizes them."""
    for name, weight in weights.items():
        require(torch.equal(model.get_submodule(name).weight, weight), f"{name}: transformers dequantizes otherwise")


def kl_divergence(reference: torch.Tensor, logits: torch.Tensor) -> float:
    p, q = reference.double().log_softmax(-1), logits.double().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).mean().item()


def compare(ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, float]:
    return {
        "kl": kl_divergence(ours, theirs),
        "agreement": (ours.argmax(-1) == theirs.argmax(-1)).double().mean().item(),
        "max_difference": (ours - theirs).abs().max().item(),
    }


def run_in_lock_step(model: PreTrainedModel, ids: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives each layer hidden[:, layer] for its input. Returns logits and errors [L, B, T] of the layers' updates."""
    errors, handles = [], []

    def enforce(layer: int):
        def before(module, arguments):
            return (hidden[:, layer], *arguments[1:])

        def after(module, arguments, output):
            expected = hidden[:, layer + 1]
            errors.append((output - expected).norm(dim=-1) / (expected - hidden[:, layer]).norm(dim=-1))
            return expected

        return before, after

    for number, layer in enumerate(model.model.layers):
        before, after = enforce(number)
        handles += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    logits = model(ids, use_cache=False).logits
    for handle in handles:
        handle.remove()
    return logits, torch.stack(errors)


def compare_in_lock_step(model: PreTrainedModel, given: dict[str, torch.Tensor]) -> dict[str, float]:
    embeddings = model.model.embed_tokens(given["ids"])
    require(torch.equal(embeddings, given["hidden"][:, 0]), "hidden: its embeddings are not the export's")
    logits, errors = run_in_lock_step(model, given["ids"], given["hidden"])
    medians = errors.flatten(1).median(dim=1).values
    return compare(given["logits"], logits) | {
        "layers_alike": (errors < ALIKE).double().mean().item(),
        "worst_median": medians.max().item(),
    }


def check_limits(figures: dict[str, float], which: str, arguments: argparse.Namespace) -> None:
    kl, agreement = figures["kl"], figures["agreement"]
    require(kl <= arguments.max_kl, f"{which}: KL {kl:.3g} is above {arguments.max_kl:g}")
    require(agreement >= arguments.min_agreement, f"{which}: agreement {agreement:.4f} is below {arguments.min_agreement:g}")


def compare_with_transformers(
    arguments: argparse.Namespace,
    tensors: dict[str, torch.Tensor],
    schemes: dict[str, QuantizationScheme],
    weights: dict[str, torch.Tensor],
) -> dict:
    given = load_file(arguments.logits)
    model = load_model(arguments.directory, torch.float32)
    dynamic = check_schemes(model, tensors, schemes)
    own = {"own_scales": compare(given["logits"], run(model, given["ids"]))} if dynamic else {}
    with token_scales(our_token_scales):
        return {"dynamic": dynamic} | own | compare_logits(arguments, model, given, weights)


def compare_logits(
    arguments: argparse.Namespace, model: PreTrainedModel, given: dict[str, torch.Tensor], weights: dict[str, torch.Tensor]
) -> dict:
    logits = run(model, given["ids"])
    check_weights(model, weights)
    free_run = compare(given["logits"], logits)
    if "hidden" not in given:
        check_limits(free_run, "free run", arguments)
        return {"free_run": free_run}
    lock_step = compare_in_lock_step(model, given)
    check_limits(lock_step, "lock-step", arguments)
    alike, worst = lock_step["layers_alike"], lock_step["worst_median"]
    require(worst < ALIKE, f"lock-step: a layer's update differs by {worst:.3g}, expected {ALIKE:g}")
    require(alike >= MIN_LAYERS_ALIKE, f"lock-step: {alike:.4f} of updates are alike, expected {MIN_LAYERS_ALIKE}")
    noise_kl = kl_divergence(logits, run(load_model(arguments.directory, torch.float64), given["ids"]))
    most = max(arguments.max_kl, 2 * noise_kl)
    require(free_run["kl"] <= most, f"free run: KL {free_run['kl']:.3g} is above {most:.3g}")
    return {"free_run": free_run, "lock_step": lock_step, "noise_kl": noise_kl}


@torch.no_grad()
def check(arguments: argparse.Namespace) -> dict:
    tensors = read_tensors(arguments.directory)
    schemes = read_schemes(arguments.directory, tensors)
    weights = dequantize(tensors, schemes)
    AutoConfig.from_pretrained(arguments.directory)
    vocabulary = check_tokenizer(arguments.directory)
    return compare_with_transformers(arguments, tensors, schemes, weights) | {
        "tokens": load_file(arguments.logits)["ids"].numel(),
        "linears": len(weights),
        "packed": sum(name.endswith(".weight_packed") for name in tensors),
        "weight_only": sum(scheme.input_activations is None for scheme in schemes.values()),
        "tensors": len(tensors),
        "vocabulary": vocabulary,
        "weights": {f"{name}.weight": describe(weight) for name, weight in weights.items()},
        "versions": library_versions(),
    }


def answer(words: list[str]) -> dict:
    """Checks one export: {"report": ...} or {"failure": message}."""
    arguments = parse(words)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # hides progress bars
            return {"report": check(arguments)}
    except (CheckFailed, OSError, ValueError, KeyError) as failure:
        return {"failure": f"{arguments.directory}: {failure}"}


def main() -> int:
    torch.set_num_threads(NUM_THREADS)
    if sys.argv[1:] == ["--serve"]:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return 0
    result = answer(sys.argv[1:])
    if "failure" in result:
        print(result["failure"], file=sys.stderr)
        return 1
    print(json.dumps(result["report"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
