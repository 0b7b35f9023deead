"""Every method as the laws see it: how to make it, when it is off, who influences whom, the naive version."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import torch
from attention_control.attention_patches.contract.method import Method
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.contract.site import Kind
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.cross_image.method import CrossImage
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.plug_and_play.method import PlugAndPlay
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import OWN, Taken
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blend
from attention_control.attention_patches.methods.prompt_to_prompt.edits import Edit
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from attention_control.attention_patches.methods.shape_variations.finding import Named
from attention_control.attention_patches.methods.shape_variations.keeping import Kept
from attention_control.attention_patches.methods.shape_variations.method import ShapeVariations
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.methods.style_aligned.mixture import StyleMixture
from attention_control.attention_patches.methods.style_aligned.style_reference import StyleReference
from attention_control.attention_patches.text.words import Word
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from torch import Tensor

from . import naive, naive_bounds, naive_prompts, naive_shapes
from .full_size import FULL, full_model
from .inversions import tiny_inversion
from .naive import Where
from .tiny import tiny_model

IMAGES = 3


@dataclass(frozen=True)
class Specimen:
    """`influences[i]`: the images that may change image i of IMAGES. `off`: settings that ask for nothing."""

    name: str
    method: type[Method]
    settings: dict[str, Any]
    influences: tuple[set[int], ...]
    naive: Callable[..., Any] | None = None
    off: tuple[dict[str, Any], ...] = ()
    exact_rows: frozenset[int] = frozenset()  # images that stay as they are, to the bit
    naive_at: Callable[..., Any] | None = None  # (q, k, v, where), if it depends on the place
    kinds: tuple[Kind, ...] = ("self",)  # of attention that the naive version speaks of
    remembers: bool = False  # what it does hangs on what it has seen in the run

    def make(
        self, model: Any, layers: str = "all", during: tuple[float, float] = (0.0, 1.0), **changes: Any
    ) -> Method:
        settings = {**self.settings, **changes}
        if any(field.name == "layers" for field in fields(self.method)):
            settings["layers"] = family_of(model).layer_map().parse(layers)
        return self.method(during=PercentRange(*during), **settings)

    def on(self, model: Any, **how: Any) -> Any:
        """A clone of `model` with the method."""
        return install(model, self.make(model, **how))

    @property
    def has_naive(self) -> bool:
        return self.naive is not None or self.naive_at is not None

    def chunk(self, q: Tensor, k: Tensor, v: Tensor, where: Where) -> Tensor:
        """The naive version of one chunk."""
        if self.naive_at is not None:
            return self.naive_at(q, k, v, where)
        assert self.naive is not None
        return self.naive(q, k, v)

    def broken_as(self, method: type[Method]) -> "Specimen":
        """The same settings on a method with a mistake."""
        return replace(self, method=method)


@cache
def model(shape: str) -> Any:
    """One model a shape for all laws: if a test left something behind, the next would see it."""
    return full_model() if shape == FULL else tiny_model(shape)


def blocks(model: Any) -> list[tuple[str, int]]:
    """The blocks with attention."""
    return sorted({(layer.block, layer.number) for layer in family_of(model).layer_map().layers})


def _style_aligned(name: str, influences: tuple[set[int], ...], **settings: Any) -> Specimen:
    words = {"adain": "adain_on", "score_shift": "shift", "score_scale": "scale"}
    plain = {words.get(key, key): value for key, value in settings.items()}
    reference = settings.get("reference", 0)
    return Specimen(
        name,
        StyleAligned,
        settings,
        influences,
        naive=lambda q, k, v: naive.style_aligned(q, k, v, **plain),
        off=({"sharing": "off", "adain": "off"},),
        exact_rows=frozenset() if settings.get("sharing") == "all images" else frozenset({reference}),
    )


SUBJECTS: list[naive_bounds.Subjects] = [
    [((2, 3), (0.0, 0.0, 0.6, 0.7)), ((3, 5), (0.3, 0.4, 1.0, 1.0))],  # overlapping, with a word in common
    [((2, 3), (0.5, 0.1, 0.52, 0.9)), ((5,), (0.0, 0.0, 0.4, 1.0))],  # thinner than a cell
    [((5,), (0.2, 0.2, 0.9, 0.8))],
]


def _bounded(name: str, **settings: Any) -> Specimen:
    layout = Layout(
        tuple(
            tuple(Subject(str(tokens), tokens, (box,)) for tokens, box in subjects) for subjects in SUBJECTS
        ),
        fillers=(1, 4),
        ends=(6,),
    )
    return Specimen(
        name,
        BoundedAttention,
        {"layout": layout, "refine_from": 1.0, **settings},
        EACH_ALONE,
        off=({"layout": Layout(((),))}, {"layout": Layout(((), (), ()))}),
        kinds=("self", "cross"),
    )


WORDS = [
    # one word for two, so what follows moves up; a token of its own at the end, and one that is weighed
    naive_prompts.Words({0: ((0,), 1), 1: ((1, 2), 1), 2: ((3,), 1), 3: ((4,), 1)}, {2: -1.0, 5: 3.0}),
    naive_prompts.Words({0: ((0,), 1), 1: ((1,), 2), 2: ((1,), 2)}, {}),  # two words for one
]


def edit_of(words: naive_prompts.Words, until: float = 1.0, tokens: int = 11) -> Edit:
    """The edit of a text of that many tokens, of all but the first until this percent of the schedule."""
    taken = {token: Taken(source, 1 / sharing) for token, (source, sharing) in words.taken.items()}
    return Edit(
        tuple(taken.get(token, OWN) for token in range(tokens)),
        (1.0,) + (until,) * (tokens - 1),
        tuple(words.factors.get(token, 1.0) for token in range(tokens)),
    )


def _prompts(name: str, until: float = 1.0, **settings: Any) -> Specimen:
    edits = tuple(edit_of(words, until) for words in WORDS)
    return Specimen(
        name,
        PromptToPrompt,
        {"edits": edits, "self_until": until / 2, **settings},
        BY_REFERENCE,
        off=({"edits": (edit_of(naive_prompts.Words({}, {})),) * 2, "self_until": 0.0, "blend": None},),
        exact_rows=frozenset({0}),
        kinds=("self", "cross"),
    )


NAMED = Named((Word("object", (7,)),), segments=15, threshold=0.4)  # a few cells in each shape of model


def _shapes(name: str, shapes: tuple[float, float], **settings: Any) -> Specimen:
    return Specimen(
        name,
        ShapeVariations,
        {"images": IMAGES, "shapes": PercentRange(*shapes), **settings},
        EACH_ALONE,
        exact_rows=frozenset({0}),
        kinds=("cross",),
    )


EACH_ALONE = ({0}, {1}, {2})
TO_THE_END = {"feature_until": 1.0, "attention_until": 1.0}
BY_REFERENCE = ({0}, {0, 1}, {0, 2})

METHODS = [
    _style_aligned("style aligned", BY_REFERENCE),
    _style_aligned(
        "shift and scale, last is reference",
        ({0, 2}, {1, 2}, {2}),
        reference=2,
        score_shift=0.7,
        score_scale=0.5,
        adain="queries",
    ),
    _style_aligned("adain only", BY_REFERENCE, sharing="off", adain="keys"),
    _style_aligned("all images", ({0, 1, 2},) * 3, sharing="all images"),
    Specimen(
        "cross image",
        CrossImage,
        {
            "structure": tiny_inversion(height=6, width=10, images=IMAGES),
            "appearance": tiny_inversion(height=5, width=8, seed=1),
            "refresh_every": 3,
        },
        ({0}, {1}, {2}),
        off=({"during": (0.5, 0.5)},),
    ),
    Specimen(
        "plug and play",
        PlugAndPlay,
        {
            "guide": tiny_inversion(height=6, width=10, images=IMAGES),
            "features": frozenset({8, 10}),
            **TO_THE_END,
        },
        EACH_ALONE,
        off=(
            {"feature_until": 0.0, "attention_until": 0.0},
            {"features": frozenset(), "attention_until": 0.0},
        ),
    ),
    Specimen(
        "plug and play, features of one guide",
        PlugAndPlay,
        {
            "guide": tiny_inversion(height=6, width=10),
            "features": frozenset({5, 9}),
            **TO_THE_END,
            "attention_until": 0.0,
        },
        EACH_ALONE,
        off=({"feature_until": 0.0},),
    ),
    Specimen(
        "shared group norm",
        StyleAligned,
        {"sharing": "off", "adain": "off", "share_group_norm": True},
        BY_REFERENCE,
        off=({"share_group_norm": False},),
        exact_rows=frozenset({0}),
    ),
    Specimen(
        "style of a picture",
        StyleAligned,
        {"reference_picture": tiny_inversion(height=6, width=10), "score_shift": 0.7},
        (set(), {1}, {2}),
        off=({"sharing": "off", "adain": "off"},),
    ),
    Specimen(
        "styles of two pictures",
        StyleMixture,
        {
            "references": (
                StyleReference(tiny_inversion(height=5, width=8), mask=torch.eye(4)),
                StyleReference(tiny_inversion(height=5, width=8, seed=1), weight=0.5),
            ),
            "score_shift": 0.7,
            "by_place": True,
        },
        EACH_ALONE,
        off=({"attends": False, "adain": "off"},),
    ),
    replace(
        _bounded("bounded"),
        naive_at=lambda q, k, v, where: naive_bounds.bounded(q, k, v, where, SUBJECTS, (1, 4), (6,)),
    ),
    replace(
        _prompts("prompt to prompt", self_until=1.0),
        naive_at=lambda q, k, v, where: naive_prompts.prompt_to_prompt(q, k, v, where, WORDS),
    ),
    _prompts("prompt to prompt, until", until=0.6),
    replace(
        _prompts("prompt to prompt, blended", blend=Blend(((1, 2), (1,), (2,)), threshold=0.9)),
        remembers=True,
    ),
    replace(
        _shapes("shape variations", (0.0, 1.0)),
        naive_at=lambda q, k, v, where: naive_shapes.mixed(q, k, v, where, "proxies"),
    ),
    replace(
        _shapes("shape variations, details", (0.0, 0.0)),
        naive_at=lambda q, k, v, where: naive_shapes.mixed(q, k, v, where, "original"),
    ),
    _shapes("shape variations, until", (0.3, 0.7)),
    replace(
        _shapes("shape variations, keeping", (0.0, 0.5), kept=Kept((2, 3), (5,), 1.0, 0.2)),
        influences=BY_REFERENCE,
        remembers=True,
    ),
    replace(
        _shapes("shape variations, background", (0.0, 1.0), named=NAMED, blend_at=0.0),
        influences=BY_REFERENCE,
        remembers=True,
    ),
    Specimen("multidiffusion", MultiDiffusion, {"window": (4, 6), "stride": 3, "per_call": 3}, EACH_ALONE),
    replace(_bounded("bounded by what is found", refine_from=0.4, refine_every=0.1), remembers=True),
]

SAME_WAY = frozenset(
    {
        "shift and scale, last is reference",
        "adain only",
        "all images",
        "bounded by what is found",
        "plug and play, features of one guide",
        "prompt to prompt, until",
        "shape variations, details",
        "shape variations, until",
    }
)
"""They take the same way through the host as another of their kind."""

OTHER_WAYS = tuple(method for method in METHODS if method.name not in SAME_WAY)
