"""Pictures to read, resize and prepare."""

import numpy
import torch
from PIL import Image

SEED = 41


def make_picture(width: int, height: int) -> Image.Image:
    """Makes a picture of gradients, an edge and noise."""
    y, x = numpy.mgrid[:height, :width]
    pixels = numpy.stack([255 * x / width, 255 * y / height, 255 * (x + y > height)], axis=-1)
    pixels += numpy.random.default_rng(SEED).normal(scale=20, size=pixels.shape)
    return Image.fromarray(numpy.clip(pixels, 0, 255).astype(numpy.uint8))


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(numpy.array(image))
