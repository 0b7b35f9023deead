"""The pictures of the help pages and of the README, and what each is put together from."""

from __future__ import annotations

from dataclasses import dataclass, field

Given = tuple[tuple[str, str, int | float | str], ...]
"""Inputs that differ from the workflow's: kind of node, name of the input, value."""


@dataclass(frozen=True)
class Part:
    """What one saving node of a workflow made: `saved` is the node's title.

    `workflow` is a file of example_workflows, without its ending. `title` stands above the pictures (None:
    the node's; empty: nothing), and `which` of them are shown, counted from 0 (empty: all).
    """

    workflow: str
    saved: str
    title: str | None = None
    which: tuple[int, ...] = ()
    given: Given = ()


@dataclass(frozen=True)
class HelpPicture:
    """One file, from the root of the repository: rows of parts, each picture `side` pixels high.

    What no workflow makes has the `script` that does: it takes `--output` and gives files these names.
    """

    file: str
    side: int = 0
    rows: tuple[tuple[Part, ...], ...] = ()
    script: str = field(default="", kw_only=True)


CATS = "benchmarks/layout_help.py"
GRID = Part("21 A grid of structures and appearances", "Structure, appearance, output", "")
STYLE, WORD, SHAPES = (
    "01 One style for a whole batch",
    "07 Change a word, keep the picture",
    "10 Other shapes of one object",
)
GUIDE, WIDE, PLACES = (
    "13 Your picture repainted in its own layout",
    "14 A picture wider than the model knows",
    "15 Regions with prompts of their own",
)
SEGMENTS, WHY = "04 Segment a picture and repaint one subject", "25 Why a prompt failed"


LOOK, COMPONENTS = "02 Where does the model look", "talk/Components of self-attention"
MAPS = "The maps as pictures"
AT_THE_CAT = (("AttentionMapViewer", "x", 0.3), ("AttentionMapViewer", "y", 0.7))


def words(*which: int) -> Part:
    """Maps of words of the prompt."""
    return Part(LOOK, MAPS, "", which)


def windows(title: str, stride: int, weighting: str = "uniform") -> tuple[Part, ...]:
    """A row of the wide picture in windows so far apart."""
    given = (("MultiDiffusion", "stride", stride), ("MultiDiffusion", "weighting", weighting))
    return (Part(WIDE, "In windows", title, given=given),)


PICTURES: tuple[HelpPicture, ...] = (
    HelpPicture("docs/appearance_grid.jpg", 536, ((GRID,),)),
    HelpPicture("web/docs/AttentionLeakage.jpg", script=CATS),
    HelpPicture(
        "web/docs/AttentionMapViewer.jpg",
        200,
        (
            (Part(COMPONENTS, "The picture", ""), words(0, 1, 2)),
            (
                words(3, 4),
                Part(LOOK, MAPS, "", given=(("AttentionMapViewer", "mode", "self"), *AT_THE_CAT)),
                Part(COMPONENTS, "Components, from noise to picture", "", (7,)),
            ),
        ),
    ),
    HelpPicture(
        "web/docs/AttentionProbe.jpg", 168, ((Part("03 Look into a picture of your own", MAPS, ""),),)
    ),
    HelpPicture("web/docs/BoundedAttention.jpg", script=CATS),
    HelpPicture("web/docs/CrossImageAttention.jpg", 510, ((GRID,),)),
    HelpPicture(
        "web/docs/InvertLatent.jpg",
        150,
        ((Part("16 Is your picture found again", "Picture, noise, back again, with other words", ""),),),
    ),
    HelpPicture("web/docs/LayoutGuidance.jpg", script=CATS),
    HelpPicture(
        "web/docs/MultiDiffusion.jpg",
        128,
        (
            (Part(WIDE, "At once", "The whole picture at once"),),
            windows("Stride 1: windows beside each other", 128),
            windows("Stride 1/2", 64),
            windows("Stride 1/2, gaussian", 64, "gaussian"),
            windows("Stride 1/4", 32),
            windows("Stride 1/8, as in the paper", 16),
        ),
    ),
    HelpPicture(
        "web/docs/PlugAndPlay.jpg",
        150,
        (
            (Part(GUIDE, "The prompts alone"),),
            (
                Part(GUIDE, "With Plug-and-Play, in the layout of the guide", "With Plug-and-Play"),
                Part(GUIDE, "The guide"),
            ),
        ),
    ),
    HelpPicture(
        "web/docs/PromptDiagnosis.jpg", 310, ((Part(WHY, "The pictures"),), (Part(WHY, "What is there"),))
    ),
    HelpPicture(
        "web/docs/PromptRegion.jpg",
        128,
        ((Part(PLACES, "The scene alone"),), (Part(PLACES, "With regions"),)),
    ),
    HelpPicture(
        "web/docs/PromptToPrompt.jpg",
        125,
        ((Part(WORD, "Plain, the same noise"),), (Part(WORD, "Prompt-to-Prompt"),)),
    ),
    HelpPicture(
        "web/docs/SelfSegment.jpg",
        400,
        ((Part(SEGMENTS, "First picture"), Part(SEGMENTS, "Segments"), Part(SEGMENTS, "Repainted")),),
    ),
    HelpPicture(
        "web/docs/ShapeVariations.jpg",
        88,
        ((Part(SHAPES, "Plain, the same noise"),), (Part(SHAPES, "Shape Variations"),)),
    ),
    HelpPicture(
        "web/docs/StyleAlignedBatch.jpg", 156, ((Part(STYLE, "Plain"),), (Part(STYLE, "Style aligned"),))
    ),
)
