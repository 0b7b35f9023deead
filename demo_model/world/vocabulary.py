"""The words of the world and what each one stands for."""

# Noun -> name of the drawing in all four emoji sets. Faces where the set has them: their features are larger.
SUBJECTS: dict[str, str] = {
    "cat": "cat-face",
    "dog": "dog-face",
    "fox": "fox",
    "owl": "owl",
    "unicorn": "unicorn",
    "hedgehog": "hedgehog",
    "lizard": "lizard",
    "rabbit": "rabbit-face",
    "turtle": "turtle",
    "fish": "tropical-fish",
    "bird": "bird",
    "elephant": "elephant",
    "house": "house",
    "apple": "red-apple",
    "car": "automobile",
    "rocket": "rocket",
    "guitar": "guitar",
    "sunflower": "sunflower",
    "hamburger": "hamburger",
    "tree": "deciduous-tree",
    "boat": "sailboat",
    "cake": "birthday-cake",
    "bear": "teddy-bear",
    "frog": "frog",
}

# The emoji sets, as npm packages: four drawings of every subject, whatever the style.
DRAWINGS: tuple[str, ...] = ("fluent-emoji", "fluent-emoji-flat", "noto", "twemoji")

STYLES: tuple[str, ...] = ("clay", "flat", "ink", "cartoon", "sticker")  # see surfaces.py

# Colour -> RGB of a drawing's darkest, middle and lightest tones.
RGB = tuple[int, int, int]
COLOURS: dict[str, tuple[RGB, RGB, RGB]] = {
    "red": ((70, 0, 10), (222, 38, 48), (255, 190, 185)),
    "orange": ((90, 35, 0), (245, 138, 28), (255, 225, 185)),
    "yellow": ((100, 75, 0), (250, 214, 40), (255, 250, 205)),
    "green": ((0, 50, 18), (46, 165, 72), (200, 243, 202)),
    "blue": ((5, 15, 85), (42, 102, 224), (195, 218, 255)),
    "purple": ((42, 5, 75), (140, 62, 196), (230, 205, 250)),
    "pink": ((105, 15, 65), (246, 122, 180), (255, 222, 240)),
    "white": ((105, 110, 120), (242, 244, 247), (255, 255, 255)),
    "gray": ((35, 36, 40), (126, 128, 134), (212, 214, 220)),
    "black": ((0, 0, 0), (34, 34, 40), (135, 137, 145)),
}

# Background -> the phrase that places subjects on it.
BACKGROUNDS: dict[str, str] = {
    "stairs": "on the stairs",
    "street": "on the street",
    "basket": "in a basket",
    "forest": "in a forest",
    "snow": "in the snow",
    "beach": "on the beach",
}

# What training draws from besides. The evaluation and the benchmarks ask for what stands above, so that their
# figures can be compared from one model to the next.
EVERY_COLOUR = COLOURS | {"brown": ((38, 18, 6), (124, 74, 38), (228, 194, 156))}
EVERY_BACKGROUND = BACKGROUNDS | {"bed": "on a bed"}
SUNGLASSES = "sunglasses"

PLURALS: dict[str, str] = {
    "fox": "foxes",
    "fish": "fish",
    "puppy": "puppies",
    "bunny": "bunnies",
}

SYNONYMS: dict[str, str] = {
    "cat": "kitten",
    "dog": "puppy",
    "rabbit": "bunny",
    "hamburger": "burger",
    "orange": "ginger",
    "gray": "grey",
}

NUMBERS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five")


def plural(noun: str) -> str:
    """The noun's plural form."""
    return PLURALS.get(noun, noun + "s")
