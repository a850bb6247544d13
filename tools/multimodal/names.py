"""The names of things in pictures: one word for one thing, whatever a source calls it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Subgroups of Unicode's emoji whose pictures are things.
SUBGROUPS = set(
    "animal-mammal animal-bird animal-amphibian animal-reptile animal-marine animal-bug plant-flower plant-other "
    "food-fruit food-vegetable food-prepared food-asian food-marine food-sweet drink dishware place-geographic "
    "place-building place-religious place-other transport-ground transport-water transport-air hotel time event "
    "award-medal sport game clothing sound musical-instrument phone computer book-paper money mail writing office "
    "lock tool science medical household other-object body-parts person-fantasy".split()
) | {"sky & weather", "arts & crafts", "light & video"}

# Other words for a name.
SAME = {
    name: canonical
    for canonical, others in {
        "airplane": "plane aircraft",
        "ambulance": "ambulans",
        "apple": "red_apple green_apple apple_red apple_green",
        "banana": "bananas",
        "bean": "beans",
        "bee": "honeybee",
        "beer": "beer_mug",
        "bicycle": "bike vtt",
        "blueberry": "blueberries",
        "boar": "wild_boar wildboar",
        "bread": "loaf_of_bread",
        "brush": "paintbrush",
        "bug": "ladybird_bug",
        "bus": "iso_bus",
        "cake": "birthday_cake shortcake gateau",
        "camel": "dromedary",
        "camera": "digitalcamera camera_photo photo_camera",
        "candy": "sweet sweets",
        "car": "automobile oncoming_automobile racing_car sportcar sedan",
        "cheese": "cheese_wedge",
        "cherry": "cherries",
        "chick": "baby_chick hatching_chick front_facing_baby_chick",
        "chicken": "hen",
        "coffee": "hot_beverage",
        "computer": "desktop_computer",
        "corn": "ear_of_corn",
        "crayfish": "crawfish",
        "crocodile": "alligator",
        "cup": "teacup teacup_without_handle coffeecup",
        "disc": "compact_disc optical_disk cd",
        "dress": "black_dress",
        "eggplant": "aubergine",
        "envelope": "envelop",
        "fries": "french_fries",
        "gift": "wrapped_gift present",
        "glass": "glass_of_milk wine_glass",
        "glasses": "eyeglasses",
        "glove": "gloves",
        "grapes": "grape",
        "hippopotamus": "hippo",
        "ice cream": "soft_ice_cream icecream",
        "jewel": "gem_stone gem",
        "key": "old_key",
        "kiwi": "kiwi_fruit",
        "knife": "kitchen_knife",
        "ladybug": "lady_beetle coccinella",
        "laptop": "computer_laptop",
        "leaf": "fallen_leaf",
        "light bulb": "lightbulb bulb",
        "lock": "locked padlock padlock_closed unlocked padlock_open",
        "magnifying glass": "magnifying_glass_tilted_left magnifying_glass_tilted_right magnifying",
        "microphone": "studio_microphone audio_input_microphone",
        "moon": "crescent_moon full_moon",
        "mountain": "snow_capped_mountain",
        "olive": "olives",
        "orange": "tangerine mandarine",
        "palm tree": "palmtree",
        "pancakes": "pancake",
        "peanut": "peanuts",
        "pepper": "bell_pepper yellowpepper peppers paprika",
        "chili": "hot_pepper chilepepper",
        "peas": "pea_pod pea",
        "pen": "ballpointpen biro ballpoint",
        "phone": "telephone telephone_receiver",
        "mobile phone": "smartphone cellular handphone",
        "piano": "musical_keyboard",
        "plum": "plums prune",
        "potato": "potatoes",
        "rabbit": "bunny",
        "refrigerator": "fridge",
        "rhinoceros": "rhino",
        "rubber duck": "rubberduck",
        "sheep": "ewe",
        "ship": "passenger_ship",
        "shoe": "man_s_shoe shoes running_shoe",
        "sock": "socks",
        "soccer ball": "soccer",
        "star": "glowing_star",
        "sun": "sunshine",
        "t-shirt": "t_shirt tshirt",
        "taxi": "oncoming_taxi",
        "teddy bear": "teddybear teddy",
        "tent": "camping",
        "tie": "necktie",
        "tooth": "teeth",
        "traffic light": "horizontal_traffic_light vertical_traffic_light stoplight",
        "train": "locomotive",
        "tree": "deciduous_tree",
        "fir": "evergreen_tree christmas_tree",
        "trousers": "jeans pants bluejeans",
        "truck": "delivery_truck articulated_lorry lorry",
        "television": "tv video_television",
        "umbrella": "umbrella_with_rain_drops closed_umbrella",
        "vacuum cleaner": "vacuum",
        "watermelon": "pasteque",
        "whale": "spouting_whale bluewhale",
        "wrench": "adjustable_wrench",
        "four leaf clover": "clover",
        "eye": "eyes",
        "foot": "feet",
    }.items()
    for name in [canonical.replace(" ", "_"), *others.split()]
}

# Names that are of no use: several things have them, or nobody would say them of the picture.
LEFT_OUT = set(
    "bank beat bit building button cast cook cut diya end fell find foot ice jam japanese_dolls land mate meal no "
    "office old oden patch post ray roast sash slice spread stand step store tile two white_flower yoga "
    "mouse japanese_post_office love_hotel map_of_japan globe_showing_europe_africa globe_showing_americas "
    "globe_showing_asia_australia input_latin_letters japanese_castle classical_building leafy_green mouse_animal "
    "dvd minidisc sea_lion new_moon first_quarter_moon last_quarter_moon waning_gibbous_moon wedding "
    "cricket_game".split()
)


SEVERAL = set("and at in on of with without".split())  # words of names of more than one thing


def tokens(text: str) -> list[str]:
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("’", "_")).strip("_").split("_")


def name_of(text: str) -> str:
    """The name that a source's word stands for, in words; "" if it is left out."""
    words = tokens(text)
    if words[-1] == "face" and len(words) > 1:
        words = words[:-1]
    word = "_".join(words)
    if word in LEFT_OUT:
        return ""
    canonical = SAME.get(word, word.replace("_", " "))
    return "" if canonical.replace(" ", "_") in LEFT_OUT else canonical


@dataclass(frozen=True)
class Emoji:
    code: int
    name: str


def emoji_names(package: Path) -> list[Emoji]:
    """Emoji of one code point that show a thing, with CLDR's names, from Unicode's emoji-test.txt."""
    found: list[Emoji] = []
    subgroup = ""
    lines = (package / "usr/share/unicode/emoji/emoji-test.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("# subgroup: "):
            subgroup = line.removeprefix("# subgroup: ")
        match = re.match(r"([0-9A-F]+)(?: FE0F)?\s*; fully-qualified\s*# \S+ E[\d.]+ (.+)", line)
        if match and subgroup in SUBGROUPS:
            name = name_of(match[2].split(":")[0])
            if name and len(name.split()) <= 3 and not SEVERAL & set(name.split()):
                found.append(Emoji(int(match[1], 16), name))
    return found


class KnownNames:
    """Finds a known name in a file's name or a caption."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def at_start(self, stem: str) -> str:
        """The longest known name that a file's name begins with: "ant_peterm_01" is an ant."""
        words = [word for word in (re.sub(r"\d+$", "", token) for token in tokens(stem)) if word]
        for count in (3, 2, 1):
            name = name_of("_".join(words[:count])) if len(words) >= count else ""
            if name in self.names:
                return name
        return ""

    def at_end(self, caption: str) -> str:
        """The longest known name that a caption ends with: "A green apple." is an apple."""
        words = tokens(caption)
        for count in (3, 2, 1):
            name = name_of("_".join(words[-count:])) if len(words) >= count else ""
            if name in self.names:
                return name
        return ""
