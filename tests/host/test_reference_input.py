"""The `reference` input of StyleAlignedBatch: what it takes, what it refuses, what the report says."""

import logging
from dataclasses import replace

import pytest
from attention_control.nodes.host.walks.model_identity import identity

from .inversions import tiny_inversion
from .specimen import model
from .test_style_aligned_node import align, run
from .tiny.precision import nearly


def inversion_for(patcher, height=8, width=8, **how):
    """An inversion that says it was made with this model."""
    return tiny_inversion(height, width, model=identity(patcher), **how)


def test_the_picture_is_in_the_batch(shape, caplog):
    """One of the four images is the picture, and the report says which."""
    patcher = model(shape)
    reference = inversion_for(patcher)
    with caplog.at_level(logging.INFO):
        out = run(align(patcher, reference_picture=reference, reference_index=2))
    assert nearly(patcher.model.process_latent_in(out)[2], reference.picture[0], atol=1e-5)
    assert "Image 2 is the reference picture." in caplog.text


def test_another_model_is_refused_at_the_node():
    """Before anything is sampled."""
    with pytest.raises(ValueError, match=r"inversion: it was made with .*invert the picture with this one"):
        align(model("sd15"), reference_picture=inversion_for(model("sd2")))


def test_other_changes_on_the_model_are_reported(caplog):
    """A LoRA that was not there at the inversion stops nothing, and is said."""
    patcher = model("sd15")
    own = identity(patcher)
    reference = tiny_inversion(8, 8, model=replace(own, changes="9 patched weights"))
    with caplog.at_level(logging.INFO):
        run(align(patcher, reference_picture=reference))
    assert "Note: the inversion was made with 9 patched weights loaded" in caplog.text


@pytest.mark.parametrize(
    ("reference", "how", "message"),
    [
        ({"images": 2}, {}, r"reference_picture holds the inversions of 2 pictures.*Invert one picture"),
        (
            {"width": 10},
            {},
            r"reference_picture is 10 x 8 latent.* 80 x 64 pixels.*is 8 x 8 .* 64 x 64 pixels.*one size",
        ),
        ({}, {"batch": 1, "rows": 1}, r"holds 1 image.*the picture itself.*batch size to 1 more"),
    ],
)
def test_what_does_not_fit_is_an_error(reference, how, message):
    """The error names the input, what was passed and what to do."""
    patched = align(model("sd15"), reference_picture=inversion_for(model("sd15"), **reference))
    with pytest.raises(ValueError, match=message):
        run(patched, **how)
