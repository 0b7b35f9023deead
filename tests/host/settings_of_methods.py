"""Settings that several specimens share, and specimens of one kind."""

from typing import Any

from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import OWN, Taken
from attention_control.attention_patches.methods.prompt_to_prompt.edits import Edit
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from attention_control.attention_patches.methods.shape_variations.finding import Named
from attention_control.attention_patches.methods.shape_variations.method import ShapeVariations
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.attention_patches.text.words import Word

from . import naive, naive_bounds, naive_prompts
from .specimen import IMAGES, Specimen

EACH_ALONE = ({0}, {1}, {2})
BY_REFERENCE = ({0}, {0, 1}, {0, 2})
TO_THE_END = {"feature_until": 1.0, "attention_until": 1.0}

SUBJECTS: list[naive_bounds.Subjects] = [
    [((2, 3), (0.0, 0.0, 0.6, 0.7)), ((3, 5), (0.3, 0.4, 1.0, 1.0))],  # overlapping, with a word in common
    [((2, 3), (0.5, 0.1, 0.52, 0.9)), ((5,), (0.0, 0.0, 0.4, 1.0))],  # thinner than a cell
    [((5,), (0.2, 0.2, 0.9, 0.8))],
]
WORDS = [
    # one word for two, so what follows moves up; a token of its own at the end, and one that is weighed
    naive_prompts.Words({0: ((0,), 1), 1: ((1, 2), 1), 2: ((3,), 1), 3: ((4,), 1)}, {2: -1.0, 5: 3.0}),
    naive_prompts.Words({0: ((0,), 1), 1: ((1,), 2), 2: ((1,), 2)}, {}),  # two words for one
]
NAMED = Named((Word("object", (7,)),), segments=15, threshold=0.4)  # a few cells in each shape of model


def edit_of(words: naive_prompts.Words, until: float = 1.0, tokens: int = 11) -> Edit:
    """The edit of a text of that many tokens, of all but the first until this percent of the schedule."""
    taken = {token: Taken(source, 1 / sharing) for token, (source, sharing) in words.taken.items()}
    return Edit(
        tuple(taken.get(token, OWN) for token in range(tokens)),
        (1.0,) + (until,) * (tokens - 1),
        tuple(words.factors.get(token, 1.0) for token in range(tokens)),
    )


def style_aligned(name: str, influences: tuple[set[int], ...], **settings: Any) -> Specimen:
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


def bounded(name: str, **settings: Any) -> Specimen:
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


def prompts(name: str, until: float = 1.0, **settings: Any) -> Specimen:
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


def shapes(name: str, shapes: tuple[float, float], **settings: Any) -> Specimen:
    return Specimen(
        name,
        ShapeVariations,
        {"images": IMAGES, "shapes": PercentRange(*shapes), **settings},
        EACH_ALONE,
        exact_rows=frozenset({0}),
        kinds=("cross",),
    )
