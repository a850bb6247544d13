"""Pictures as vision models take them, prepared by transformers' image processors on Pillow and on torchvision.

Makes --out, a folder:
  <processor>/preprocessor_config.json  vit, vit_bicubic, vit_raw, glm4v, glm4v_small
  expected.safetensors
    picture.<W>x<H>                     [H, W, 3] uint8
    <processor>.<W>x<H>.pil             vit: [3, height, width] float32; glm4v: [patches, 3 * 2 * patch_size^2] float32
    <processor>.<W>x<H>.torchvision     the same
    <processor>.<W>x<H>.grid            [2] int64: rows and columns of patches
    <processor>.sizes                   [N, 3] int64: a height, a width, and the number of patches of such a picture
Checked here: what a directory of either kind loads as, which is the processor on torchvision.
"""

import itertools
from pathlib import Path

import torch
from common import parse_arguments, save
from PIL import Image
from pictures import make_picture, to_tensor
from transformers import AutoImageProcessor
from transformers.models.glm4v.image_processing_glm4v import Glm4vImageProcessor
from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.vit.image_processing_vit import ViTImageProcessor

VIT, GLM4V = (ViTImageProcessor, ViTImageProcessorPil), (Glm4vImageProcessor, Glm4vImageProcessorPil)
COLORED = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PROCESSORS = {
    "vit": (VIT, {}),
    "vit_bicubic": (VIT, {"size": {"height": 90, "width": 51}, "resample": 3, **COLORED}),
    "vit_raw": (VIT, {"size": {"height": 40, "width": 40}, "resample": 3, "do_rescale": False, "do_normalize": False}),
    "glm4v": (GLM4V, {}),
    "glm4v_small": (
        GLM4V,
        {
            "size": {"shortest_edge": 2000, "longest_edge": 90000},
            "patch_size": 6,
            "merge_size": 3,
            "temporal_patch_size": 1,
            "resample": 2,
            "do_normalize": False,
        },
    ),
}
# The sizes are tiny, wide, tall, larger than glm4v_small's limit, and ViT's own.
PICTURES = [(1, 1), (5, 3), (27, 29), (190, 9), (11, 350), (224, 224), (333, 101), (701, 523)]
SIDES = [1, 2, 13, 14, 27, 28, 41, 42, 43, 70, 98, 99, 225, 640, 1079, 2801, 5000]
LARGEST_RATIO = 200


def prepare(processor, picture: Image.Image) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The values that a processor makes of a picture, and the grid of its patches if it has them."""
    batch = processor(images=picture, return_tensors="pt")
    values = batch["pixel_values"].float()
    if "image_grid_thw" not in batch:
        return values[0], None
    return values, batch["image_grid_thw"][0, 1:]


def grids(processor) -> torch.Tensor:
    rows = []
    for height, width in itertools.product(SIDES, SIDES):
        if max(height, width) < LARGEST_RATIO * min(height, width):
            count = processor.get_number_of_image_patches(height, width)
            rows.append([height, width, count])
    return torch.tensor(rows)


def check_loaded(folder: Path, kind: type) -> None:
    loaded = AutoImageProcessor.from_pretrained(folder)
    assert type(loaded) is kind and loaded.backend == "torchvision", (type(loaded), loaded.backend)


def main() -> None:
    arguments = parse_arguments(__doc__, "folder to write")
    pictures = {f"{width}x{height}": make_picture(width, height) for width, height in PICTURES}
    tensors = {f"picture.{size}": to_tensor(picture) for size, picture in pictures.items()}
    for name, ((kind, kind_on_pil), options) in PROCESSORS.items():
        processors = {"torchvision": kind(**options), "pil": kind_on_pil(**options)}
        processors["torchvision"].save_pretrained(arguments.out / name)
        check_loaded(arguments.out / name, kind)
        for (size, picture), (backend, processor) in itertools.product(pictures.items(), processors.items()):
            values, grid = prepare(processor, picture)
            tensors[f"{name}.{size}.{backend}"] = values
            if grid is not None:
                tensors[f"{name}.{size}.grid"] = grid
        if kind is Glm4vImageProcessor:
            tensors[f"{name}.sizes"] = grids(processors["pil"])
    save(arguments.out / "expected.safetensors", tensors, __file__)


if __name__ == "__main__":
    main()
