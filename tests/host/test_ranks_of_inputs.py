"""Masks and pictures in every rank, with the channels and values, that the host's own nodes take or make."""

from functools import cache

import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.inspect.attention_leakage_node import AttentionLeakage
from attention_control.nodes.inspect.attention_map_viewer_node import AttentionMapViewer
from attention_control.nodes.inspect.attention_recorder_node import AttentionRecorder
from attention_control.nodes.inspect.save_attention_maps_node import SaveAttentionMaps
from attention_control.nodes.inspect.self_segment_node import SelfSegment
from attention_control.nodes.layout.bounded_attention_node import BoundedAttention
from attention_control.nodes.layout.layout_guidance_node import LayoutGuidance
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention

from .inverting import invert, picture
from .node_calls import call_node
from .probing import probe
from .specimen import SHALLOW, model
from .tiny import conditioning, sample, tiny_clip

PROMPT, SUBJECTS = "a cat and a dog", "cat, dog"
NAN, INFINITY = float("nan"), float("inf")
MASKS = torch.zeros(2, 12, 20)
MASKS[0, :, :9], MASKS[1, 3:, 11:] = 1, 0.75
GIVEN = {"subjects": SUBJECTS, "width": 96, "height": 64}


@cache
def encoder():
    return tiny_clip("sd15")


@cache
def maps():
    """Of a run of two images of 8 x 12 cells."""
    patched, store = call_node(AttentionRecorder, model(SHALLOW), queries_and_keys=True, time_bins=1)[:2]
    positive = encoder().encode_from_tokens_scheduled(encoder().tokenize(PROMPT))
    negative = conditioning(model(SHALLOW), seed=2)
    sample(patched, positive, negative, batch=2, height=8, width=12, steps=2)
    return store


@cache
def pair():
    """Inversions of two structures and one appearance."""
    return tuple(invert(model(SHALLOW), latent=picture(images, seed=images))[0] for images in (2, 1))


def laid_out(node, masks):
    """The cells of each subject, as the node's method gets them."""
    [spec] = installed(call_node(node, model(SHALLOW), encoder(), PROMPT, masks=masks, **GIVEN)[0])
    return spec.method.layout.masks((6, 10), 0)


def leaked(masks):
    pictures = torch.full((2, 64, 96, 3), 0.5)
    return call_node(AttentionLeakage, maps(), pictures, encoder(), PROMPT, masks=masks, **GIVEN)[1]


def transferred(structure_mask=None, appearance_mask=None):
    """Where AdaIN works in two structures and one appearance."""
    given = {"structure_mask": structure_mask, "appearance_mask": appearance_mask}
    masks = call_node(CrossImageAttention, model(SHALLOW), *pair(), **given)[1].after_step.masks
    return torch.cat([masks.structure.flatten(), masks.appearance.flatten()])


WAYS = {
    "bounded": (lambda masks: laid_out(BoundedAttention, masks), "masks"),
    "guided": (lambda masks: laid_out(LayoutGuidance, masks), "masks"),
    "leakage": (leaked, "masks"),
    "structure": (transferred, "structure_mask"),
}
way = pytest.mark.parametrize(("use", "name"), WAYS.values(), ids=WAYS)


def same(one, other):
    return one == other if isinstance(one, str) else torch.equal(one, other)


@way
@pytest.mark.parametrize(
    "given",
    [
        MASKS[:, None],
        MASKS[None],
        MASKS[None, :, None],
        MASKS.half(),
        MASKS.double(),
        MASKS - (MASKS == 0).float(),
        MASKS + 9 * (MASKS == 1).float(),
        MASKS.transpose(1, 2).contiguous().transpose(1, 2),
        MASKS.clone().requires_grad_(),
    ],
    ids=["channel", "batch", "rank 5", "half", "double", "below 0", "above 1", "strided", "gradient"],
)
def test_masks_as_the_host_takes_them(use, name, given):
    """All leading sides count masks, as in the host; values beyond 0..1 are 0 and 1."""
    assert same(use(given), use(MASKS))


def test_a_single_mask_without_a_batch():
    """(height, width), as nodes of other packs make it, is one mask."""
    one = {"subjects": "cat", "width": 96, "height": 64, "boxes": ""}
    for node in (BoundedAttention, LayoutGuidance):
        [spec], [wanted] = (
            installed(call_node(node, model(SHALLOW), encoder(), PROMPT, **{**one, "masks": mask})[0])
            for mask in (MASKS[0], MASKS[:1])
        )
        assert same(spec.method.layout.masks((6, 10), 0), wanted.method.layout.masks((6, 10), 0))
    for name in ("structure_mask", "appearance_mask"):
        assert same(transferred(**{name: MASKS[0]}), transferred(**{name: MASKS[:1]}))


@way
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.ones(20), r"its shape is \(20,\)"),
        (torch.ones(2, 0, 20), r"its shape is \(2, 0, 20\)"),
        (torch.where(MASKS > 0.8, NAN, MASKS), r"number 1 holds values that are no numbers"),
        (torch.where(MASKS == 0.75, INFINITY, MASKS), r"number 2 holds values that are no numbers"),
    ],
    ids=["rank 1", "no rows", "NaN", "infinity"],
)
def test_masks_that_are_none(use, name, given, said):
    """One sentence that names the input."""
    with pytest.raises(ValueError, match=rf"^{name}: {said}"):
        use(given)


@pytest.mark.parametrize("given", [-MASKS, torch.zeros(2, 12, 20)])
def test_masks_with_nothing_in_them(given):
    """A mask below 0 everywhere is as empty as one of zeros."""
    with pytest.raises(ValueError, match=r"^masks: number 1, 2 is empty"):
        laid_out(BoundedAttention, given)


def viewed(pictures):
    drawn, masks = call_node(
        AttentionMapViewer, pictures, maps=maps(), clip=encoder(), prompt=PROMPT, words="cat"
    )[:2]
    return torch.cat([drawn.flatten(), masks.flatten()])


def segmented(pictures):
    masks, segments, overlay, _ = call_node(SelfSegment, maps(), pictures, encoder(), PROMPT, segments=3)
    return torch.cat([masks.flatten(), segments.flatten(), overlay.flatten()])


def measured(pictures):
    return call_node(AttentionLeakage, maps(), pictures, encoder(), PROMPT, boxes="0 0 9 9: cat", **SIZE)[1]


def saved(pictures):
    call_node(SaveAttentionMaps, maps(), image=pictures)
    return ""


SIZE = {"width": 96, "height": 64}
READERS = {"viewer": viewed, "segments": segmented, "leakage": measured, "files": saved}
reader = pytest.mark.parametrize("use", READERS.values(), ids=READERS)
GRAY = torch.rand(2, 64, 96, 1, generator=torch.Generator().manual_seed(0))
COLOUR = torch.rand(2, 64, 96, 3, generator=torch.Generator().manual_seed(1))
ALPHA = torch.rand(2, 64, 96, 1, generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def folders(temp, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(temp / "output"))


MADE = {
    "gray": (GRAY, GRAY.expand(-1, -1, -1, 3)),
    "gray and alpha": (torch.cat([GRAY, ALPHA], -1), GRAY.expand(-1, -1, -1, 3)),
    "alpha": (torch.cat([COLOUR, ALPHA], -1), COLOUR),
    "video": (COLOUR[:, None], COLOUR),
    "batch of video": (COLOUR[None], COLOUR),
    "double": (COLOUR.double(), COLOUR),
    "beyond 0..1": (4 * COLOUR - 2, (4 * COLOUR - 2).clamp(0, 1)),
}
SEGMENTED = ("gray and alpha", "batch of video", "beyond 0..1")  # segments take long to find


@pytest.mark.parametrize(
    ("use", "given", "meant"),
    [
        pytest.param(use, *pictures, id=f"{name}-{reader}")
        for name, pictures in MADE.items()
        for reader, use in READERS.items()
        if reader != "segments" or name in SEGMENTED
    ],
)
def test_pictures_as_the_host_makes_them(use, given, meant):
    """One channel is gray, alpha is left out, and frames of videos are pictures, as after the host's VAE."""
    assert same(use(given), use(meant))


@reader
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (COLOUR[0], r"its shape is \(64, 96, 3\)"),
        (COLOUR[..., 0], r"its shape is \(2, 64, 96\)"),
        (COLOUR[..., :0], r"its shape is \(2, 64, 96, 0\)"),
        (
            torch.where(COLOUR > 0.999, NAN, COLOUR),
            r"picture 0 holds values that are no numbers .*--fp32-vae",
        ),
        (torch.cat([COLOUR[:1], COLOUR[1:] / 0]), r"picture 1 holds values that are no numbers"),
        (COLOUR[:1], r"1 pictures, but the maps are of 2"),
        (COLOUR.transpose(1, 2), r"64 x 96 pixels, but the maps are of a latent of 12 x 8 cells"),
    ],
    ids=["rank 3", "no channels", "0 channels", "NaN", "infinity", "too few", "another aspect"],
)
def test_pictures_that_are_none(use, given, said):
    """One sentence that names the input; nothing is stretched."""
    with pytest.raises(ValueError, match=rf"^image: {said}"):
        use(given)


LATENT = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(5))
LOOKS = {
    "probe": lambda latent: probe(model(SHALLOW), latent, record="cross"),
    "invert": lambda latent: invert(model(SHALLOW), latent=latent),
}


@pytest.mark.parametrize("use", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (LATENT[0], r"has the shape \(4, 6, 10\), .* takes \(images, 4, height, width\)"),
        (torch.zeros(4), r"has the shape \(4,\)"),
        (LATENT[:, :, None], r"has the shape \(2, 4, 1, 6, 10\)"),
        (LATENT[:0], r"has the shape \(0, 4, 6, 10\)"),
        (torch.where(LATENT > 2, NAN, LATENT), r"image [01] holds values that are no numbers .*--fp32-vae"),
        (torch.cat([LATENT[:1], LATENT[1:] / 0]), r"image 1 holds values that are no numbers"),
    ],
    ids=["rank 3", "rank 1", "video", "none", "NaN", "infinity"],
)
def test_latents_that_are_none(use, samples, said):
    """One sentence, before the model is asked."""
    with pytest.raises(ValueError, match=rf"^latent:? {said}"):
        use({"samples": samples})


@pytest.mark.parametrize("use", LOOKS.values(), ids=LOOKS)
def test_latents_of_several_kinds(use):
    """As the host makes them for videos with sound."""
    from comfy.nested_tensor import NestedTensor

    with pytest.raises(
        ValueError, match=r"^latent holds several kinds .* takes \(images, 4, height, width\)"
    ):
        use({"samples": NestedTensor([LATENT, torch.zeros(2, 4, 9)])})
