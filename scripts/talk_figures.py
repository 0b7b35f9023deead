"""The figures of the talk in its order, and the workflow that makes each."""

from __future__ import annotations

from dataclasses import dataclass

REMARKS_ON = "4f3d603160f9"
"""The model whose pictures the remarks are about: the first digits of the SHA-256 of its U-Net."""


@dataclass(frozen=True)
class Figure:
    """One figure: `workflow` is a file of example_workflows, without its ending.

    `shows` is what it is of, `unlike` what is another thing than in the talk whatever the picture shows, and
    `remark` what was seen on the picture that the model of `REMARKS_ON` made, where that falls short.
    """

    title: str
    shows: str
    workflow: str
    remark: str = ""
    unlike: str = ""


FIGURES: tuple[Figure, ...] = (
    Figure(
        "A cat becomes a dog",
        "One word of the prompt is exchanged: by the same seed alone, and with the source's attention.",
        "07 Change a word, keep the picture",
    ),
    Figure(
        "Five pets on a bed",
        "Five subjects of one prompt, as usual, and what Prompt Diagnosis reads off their attention.",
        "talk/Five pets on a bed",
        remark="red cats and purple dogs can be told; the others run together, the bed is a quilt",
    ),
    Figure(
        "Where each word is looked at",
        "Cross-attention of each word, over the picture.",
        "02 Where does the model look",
    ),
    Figure(
        "Maps over time and layers",
        "Cross-attention of one word at four noise levels, and in the layers of the U-Net's three parts.",
        "talk/How maps form over time and layers",
        remark="the middle, layer 3 of 7, shows nothing: this model's layers of 8 x 8 cells hold no words",
    ),
    Figure(
        "Where a place looks",
        "Self-attention of three places, each marked.",
        "talk/Where a place looks",
    ),
    Figure(
        "Components of self-attention",
        "The main three as colours, from noise to picture.",
        "talk/Components of self-attention",
    ),
    Figure(
        "Self-segmentation",
        "Segments with the labels cat and sunglasses, and their scores.",
        "talk/A cat is wearing sunglasses",
        remark="the third cat has two pairs of them, and all is taken for cat",
    ),
    Figure(
        "What segments are good for",
        "Segments with labels and scores, and one of them painted anew.",
        "04 Segment a picture and repaint one subject",
        remark="behind the cat are the ears of a dog that the model began",
    ),
    Figure(
        "Structure, appearance, output",
        "The shapes of one picture in the look of another.",
        "12 One picture in the appearance of another",
        remark="the fox has its ears and eyes; of its muzzle little is left",
    ),
    Figure(
        "Whose queries meet whose keys",
        "Three places of one picture, and where their queries meet the keys of another.",
        "talk/Whose queries meet whose keys",
    ),
    Figure(
        "Appearance grid",
        "Structures above, appearances on the left.",
        "21 A grid of structures and appearances",
        remark="rims are ragged, and the sticker's bear and house are mottled",
    ),
    Figure(
        "Other shapes of one object",
        "Left the proxies' prompts alone, right their shapes for the cat; all else stays as it is.",
        "10 Other shapes of one object",
        remark="outlines follow the proxies, the fox's least",
    ),
    Figure(
        "One style for a batch",
        "Left the plain batch, right with StyleAligned: four subjects.",
        "01 One style for a whole batch",
        remark="aligned, the rocket comes twice",
    ),
    Figure(
        "Styles with and without sharing",
        "Batches of three, of which the first names a style.",
        "talk/Five styles with and without sharing",
        remark="the rocket of the flat style comes twice when aligned",
        unlike="the talk has six styles, the demo model knows five",
    ),
    Figure(
        "The style of a picture",
        "Without and with a picture of one's own as the reference.",
        "11 A series in the style of your picture",
    ),
    Figure(
        "With ControlNet",
        "Four layouts by their edges, one style.",
        "talk/A ControlNet and one style",
        unlike="the talk has depths, this has edges",
    ),
    Figure(
        "With DreamBooth",
        "A toy that the model had never seen, in four scenes: alone, in one style without AdaIN, with it.",
        "talk/A toy of your own and one style",
        remark="arms and eyes of the octopus are soft",
    ),
    Figure(
        "With textual inversion",
        "A word learnt for another toy: alone, and in one style.",
        "talk/A learnt word and one style",
        remark="the penguin's outline and belly are there, its beak and feet are not",
    ),
    Figure(
        "MultiDiffusion",
        "A wide picture at once, and from windows.",
        "14 A picture wider than the model knows",
        remark="windows agree in the ground; there are more houses, some of them grown together",
    ),
    Figure(
        "MultiDiffusion with StyleAligned",
        "Panoramas of one batch: alone, without sharing, without AdaIN, and full.",
        "talk/Panoramas in one style",
        remark="full, the boats lose the beach, and the trees keep a ground of their own",
    ),
    Figure("Left and right reference", "Two styles in one wide picture.", "20 From one style to another"),
    Figure(
        "Kittens in four places",
        "Five kittens of two colours, as usual: one prompt in four places.",
        "talk/Kittens in four places",
        remark="in the basket a gray kitten is too many; of the places little can be seen",
    ),
    Figure(
        "Neglect, fusion, wrong binding",
        "Four pictures of one prompt, and what Prompt Diagnosis finds in them.",
        "25 Why a prompt failed",
        remark="only neglect is named, that of the last picture's dog; the third picture's dog is half a "
        "frog, and both are called present",
    ),
    Figure(
        "Layout guidance",
        "Without and with boxes for the subjects.",
        "05 Subjects in their boxes",
    ),
    Figure(
        "Where layout guidance fails",
        "Subjects of one kind in boxes, and the leak between them while guidance is on.",
        "talk/Where layout guidance fails",
        remark="here it fails in the first picture alone, where a kitten is missing",
    ),
    Figure(
        "Leakage, and Bounded Attention against it",
        "The same prompt and boxes, plain and bounded.",
        "06 Five kittens in boxes, each itself",
    ),
    Figure(
        "Bounded Attention in four places",
        "Bounded Attention on the prompts of its paper.",
        "22 The pictures of the Bounded Attention talk",
        remark="bounded, the kittens are as asked for, on plain grounds in place of stairs, street and snow",
    ),
    Figure(
        "A forest, five pets",
        "Bounded Attention on the other prompts of its paper.",
        "26 More subjects of the Bounded Attention talk",
        remark="bounded, all are there; the hedgehog is a ball, and little is left of forest and beach",
    ),
)
