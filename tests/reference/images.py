"""Pictures as files of every kind that we read, and the pixels and resizes that Pillow makes of them.

Makes --out, a folder:
  rgb.jpg gray.jpg cmyk.jpg orientation1.jpg … orientation8.jpg
  rgb.png gray.png palette.png rgba.png gray16.png
  rgb.webp rgba.webp
  expected.safetensors
    <file>                    [H, W, 3] uint8  upright, transparent pixels composited on white, 16 bits cut to their upper 8
    resize.<W>x<H>.<filter>   [H, W, 3] uint8  of resize.input; the filters are bilinear and bicubic
    resize.input              [333, 101, 3] uint8
"""

from pathlib import Path

import numpy
from common import parse_arguments, save
from PIL import Image, ImageOps
from pictures import make_picture, to_tensor

WIDTH, HEIGHT = 61, 43
SIZES = [(50, 100), (224, 224), (336, 28), (28, 336), (101, 30), (40, 333), (1, 1), (101, 333)]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
ORIENTATION = 0x0112


def make_files(out: Path, picture: Image.Image) -> None:
    picture.save(out / "rgb.jpg", quality=90)
    picture.convert("L").save(out / "gray.jpg", quality=90)
    picture.convert("CMYK").save(out / "cmyk.jpg")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture.save(out / f"orientation{orientation}.jpg", exif=exif, subsampling=0)
    see_through = picture.copy()
    see_through.putalpha(picture.getchannel("R"))
    picture.save(out / "rgb.png")
    picture.convert("L").save(out / "gray.png")
    picture.quantize(16).save(out / "palette.png")
    see_through.save(out / "rgba.png")
    deep = numpy.asarray(picture.convert("L")).astype(numpy.uint16) * 256 + 200
    Image.fromarray(deep).save(out / "gray16.png")
    picture.save(out / "rgb.webp", quality=80)
    see_through.save(out / "rgba.webp", lossless=True)


def read(path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        image = Image.fromarray((numpy.asarray(image) >> 8).astype(numpy.uint8))
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def main() -> None:
    arguments = parse_arguments(__doc__, "folder to write")
    arguments.out.mkdir(parents=True, exist_ok=True)
    make_files(arguments.out, make_picture(WIDTH, HEIGHT))
    files = [path for path in arguments.out.iterdir() if path.suffix in (".jpg", ".png", ".webp")]
    tensors = {path.name: to_tensor(read(path)) for path in files if path.name != "cmyk.jpg"}
    source = make_picture(101, 333)
    tensors["resize.input"] = to_tensor(source)
    for width, height in SIZES:
        for name, resample in FILTERS.items():
            tensors[f"resize.{width}x{height}.{name}"] = to_tensor(source.resize((width, height), resample))
    save(arguments.out / "expected.safetensors", tensors, __file__)


if __name__ == "__main__":
    main()
