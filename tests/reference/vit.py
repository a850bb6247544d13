"""Small random vision transformers as transformers and timm save them, with the features they give.

Makes in --out the directories below, and for each NAME.safetensors: `pixels` [2, 3, 64, 64] with `features` [2, tokens, 48], `other_pixels`
[1, 3, 96, 48] with `other_features` (positions interpolated), `logits` where there is a classifier, and `attention_difference`: the
largest difference between the library's own plain and fused attention.
  huggingface  ViTModel
  classifier   ViTForImageClassification, 10 classes
  timm         vit_base_patch16_224 with smaller sizes, 10 classes
  dinov2       Dinov2Model, its LayerScale's factors random
  dinov2_gated the same with SwiGLU
Beside them vit_base/config.json: transformers' own default, without weights, and `parameters.json`, how many they would be.
"""

import json

import timm
import torch
from common import parse_arguments, save
from timm.layers import set_fused_attn
from timm.models import save_for_hf
from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTForImageClassification, ViTModel

SEED = 11
SIZES = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 192, "image_size": 64}
DINOV2 = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "mlp_ratio": 4, "image_size": 64, "patch_size": 16}
TIMM = {"embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": 64, "num_classes": 10}


def fill(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Random values that make every tensor count: norms near 1, the rest of a trained model's size."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            is_norm = "norm" in name and name.endswith("weight")
            tensor.copy_(1 + 0.2 * noise if is_norm else noise * (0.3 if tensor.dim() == 1 else 0.12))


def huggingface(kind, directory, generator, **config):
    model = kind(ViTConfig(**SIZES, **config))
    fill(model, generator)
    model.save_pretrained(directory)

    def loaded(attention):
        return kind.from_pretrained(directory, attn_implementation=attention).eval()

    def features(model, pixels):
        encoder = model.vit if hasattr(model, "vit") else model
        return encoder(pixels, interpolate_pos_encoding=True).last_hidden_state

    return loaded("sdpa"), loaded("eager"), features


def dinov2(directory, generator, **config):
    model = Dinov2Model(Dinov2Config(**DINOV2, **config))
    fill(model, generator)
    model.save_pretrained(directory)

    def loaded(attention):
        return Dinov2Model.from_pretrained(directory, attn_implementation=attention).eval()

    return loaded("sdpa"), loaded("eager"), lambda model, pixels: model(pixels).last_hidden_state


def timm_model(directory, generator):
    def made(is_fused):
        set_fused_attn(is_fused)
        return timm.create_model("vit_base_patch16_224", dynamic_img_size=True, **TIMM)

    model, plain = made(True), made(False)
    fill(model, generator)
    plain.load_state_dict(model.state_dict())
    save_for_hf(model, directory, model_args=TIMM, safe_serialization=True)
    return model.eval(), plain.eval(), lambda model, pixels: model.forward_features(pixels)


def classified(model, features):
    if hasattr(model, "classifier"):
        return model.classifier(features[:, 0])
    return model.head(features[:, 0]) if hasattr(model, "head") else None


@torch.no_grad()
def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    generator = torch.Generator().manual_seed(SEED)
    cases = {
        "huggingface": lambda path: huggingface(ViTModel, path, generator),
        "classifier": lambda path: huggingface(ViTForImageClassification, path, generator, num_labels=10),
        "timm": lambda path: timm_model(path, generator),
        "dinov2": lambda path: dinov2(path, generator),
        "dinov2_gated": lambda path: dinov2(path, generator, use_swiglu_ffn=True),
    }
    for name, make in cases.items():
        model, plain, features_of = make(arguments.out / name)
        pixels = torch.randn(2, 3, 64, 64, generator=generator)
        other = torch.randn(1, 3, 96, 48, generator=generator)
        features = features_of(model, pixels)
        difference = (features - features_of(plain, pixels)).abs().max()
        expected = {
            "pixels": pixels,
            "features": features,
            "other_pixels": other,
            "other_features": features_of(model, other),
            "attention_difference": difference.reshape(1),
        }
        logits = classified(model, features)
        if logits is not None:
            expected["logits"] = logits
        assert features.std() > 0.1, name
        save(arguments.out / f"{name}.safetensors", expected, __file__, seed=SEED)
    base = arguments.out / "vit_base"
    ViTConfig(architectures=["ViTModel"]).save_pretrained(base)
    with torch.device("meta"):
        encoder = ViTModel(ViTConfig(), add_pooling_layer=False)
    (base / "parameters.json").write_text(json.dumps({"count": sum(p.numel() for p in encoder.parameters())}) + "\n")


if __name__ == "__main__":
    main()
