"""The figures of the talk in its order, and the workflow that makes each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure: `workflow` is a file of example_workflows, empty if there is none yet.

    `remark` says where the figure does not show what it should; for one without a workflow, what is missing.
    """

    title: str
    shows: str
    workflow: str = ""
    remark: str = ""


FIGURES: tuple[Figure, ...] = (
    Figure(
        "A cat becomes a dog",
        "One word of the prompt is exchanged; the same seed alone gives another picture, the source's "
        "attention keeps it.",
        "07 Change a word, keep the picture",
    ),
    Figure("Five pets on a bed", "The subjects are not where they should be.", remark="a plain picture"),
    Figure(
        "Where each word is looked at",
        "Cross-attention of each word, over the picture.",
        "02 Where does the model look",
    ),
    Figure("Maps over time and layers", "How they form.", remark="a workflow with `time` and `layer`"),
    Figure("Where a place looks", "Self-attention of one place.", remark="a viewer in the mode `self`"),
    Figure("Components of self-attention", "The main ones as colours.", remark="a viewer in that mode"),
    Figure(
        "Self-segmentation",
        "Segments with labels and scores, and one of them painted anew.",
        "04 Segment a picture and repaint one subject",
    ),
    Figure(
        "Structure, appearance, output",
        "The shapes of one picture in the look of another.",
        "12 One picture in the appearance of another",
        remark="of the fox little more than the place is left",
    ),
    Figure(
        "Whose queries meet whose keys",
        "Points that find each other.",
        remark="a workflow of two pictures",
    ),
    Figure(
        "Appearance grid",
        "Structures above, appearances on the left.",
        "21 A grid of structures and appearances",
        remark="the green rocket is in two pieces, and faces are lost",
    ),
    Figure(
        "Other shapes of one object",
        "Left the proxies' prompts alone, right their shapes for the cat; all else stays as it is.",
        "10 Other shapes of one object",
        remark="the shapes differ little",
    ),
    Figure(
        "One style for a batch",
        "Left the plain batch, right with StyleAligned: four subjects.",
        "01 One style for a whole batch",
        remark="the talk has six styles, this is one",
    ),
    Figure(
        "The style of a picture",
        "Without and with a picture of one's own as the reference.",
        "11 A series in the style of your picture",
    ),
    Figure("With ControlNet", "A style and a layout.", remark="a ControlNet of the demo model in the pack"),
    Figure("With DreamBooth", "A subject and a style, with and without AdaIN.", remark="a LoRA in the pack"),
    Figure("With textual inversion", "A learned word.", remark="an embedding of the demo model in the pack"),
    Figure(
        "MultiDiffusion",
        "A wide picture at once, and from windows.",
        "14 A picture wider than the model knows",
        remark="windows agree in the ground and not in the houses, some of which are pale",
    ),
    Figure(
        "MultiDiffusion with StyleAligned",
        "Without sharing, without AdaIN, and full.",
        remark="a workflow of all three",
    ),
    Figure("Left and right reference", "Two styles in one wide picture.", "20 From one style to another"),
    Figure(
        "Neglect, fusion, wrong binding",
        "Four pictures of one prompt, and what Prompt Diagnosis finds in them.",
        "25 Why a prompt failed",
    ),
    Figure(
        "Layout guidance",
        "Without and with: subjects drawn into boxes.",
        "05 Subjects in their boxes",
        remark="where it fails is not shown by a picture of its own",
    ),
    Figure(
        "Leakage, and Bounded Attention against it",
        "The same prompt and boxes, plain and bounded.",
        "06 Five kittens in boxes, each itself",
    ),
    Figure(
        "Kittens in four places",
        "Bounded Attention on the prompts of its paper.",
        "22 The pictures of the Bounded Attention talk",
    ),
    Figure(
        "A forest, five pets",
        "Bounded Attention on the other prompts of its paper.",
        "26 More subjects of the Bounded Attention talk",
        remark="the unicorn, the hedgehog and the owl are not to be told, and of the pets there are three",
    ),
)
