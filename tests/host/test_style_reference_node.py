"""StyleReference as a user meets it, and StyleAlignedBatch with references: inputs, errors, the report."""

import logging
from dataclasses import replace

import pytest
import torch
from attention_control.nodes.host.run.install import installed
from attention_control.nodes.host.walks.model_identity import identity
from attention_control.nodes.style.style_reference_node import StyleReference

from .inversions import tiny_inversion
from .node_calls import call_node
from .specimen import model
from .test_reference_input import inversion_for
from .test_style_aligned_node import align, run


def chain(*inversions, **how):
    """References, the first one first."""
    references = None
    for inversion in inversions:
        (references,) = call_node(StyleReference, inversion, **{"weight": 1.0, **how}, previous=references)
    return references


def test_inputs_and_defaults_are_the_published_ones():
    """Workflows store widgets by their order, so names, order and defaults never change."""
    schema = StyleReference.define_schema()
    assert [x.id for x in schema.inputs] == ["reference", "weight", "mask", "previous"]
    assert schema.inputs[1].default == 1.0 and [x.optional for x in schema.inputs] == [False] * 2 + [True] * 2
    assert all(x.tooltip for x in (*schema.inputs, *schema.outputs))
    assert [x.io_type for x in schema.outputs] == [schema.inputs[3].io_type] == ["STYLE_REFERENCES"]


def test_settings_arrive():
    """Each reference in the order of the chain; the widgets of the batch's node on all of them."""
    pictures = [inversion_for(model("sd15"), width=width) for width in (8, 6)]
    references = chain(*pictures, weight=2.0, mask=torch.eye(4)[None])
    patched = align(
        model("sd15"), references=references, adain="keys", score_shift=0.7, follow_masks="each part"
    )
    (found,) = [spec.method for spec in installed(patched)]
    assert [one.inversion for one in found.references] == pictures
    assert all(one.weight == 2.0 and torch.equal(one.mask, torch.eye(4)[None]) for one in found.references)
    assert (found.adain, found.score_shift, found.by_place, found.attends) == ("keys", 0.7, False, True)
    (default,) = [spec.method for spec in installed(align(model("sd15"), references=references))]
    assert default.by_place


def test_one_image_is_enough(shape, caplog):
    """And the report says of how many references its style is."""
    patcher = model(shape)
    references = chain(inversion_for(patcher), inversion_for(patcher, height=5, seed=1), weight=2.0)
    with caplog.at_level(logging.INFO):
        run(align(patcher, references=references, reference_index=3), batch=1, rows=1)
    assert "The style is of 2 references (50%, 50% of the picture)" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sharing": "all images"}, r"sharing is 'all images'.*'reference' or 'off'"),
        ({"share_group_norm": True}, "share_group_norm is on.*Turn it off"),
        ({"reference_picture": tiny_inversion(8, 8)}, "references and reference_picture are both connected"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
)
def test_what_cannot_stand_beside_references(settings, message):
    """Is refused by name, with what to do."""
    with pytest.raises(ValueError, match=message):
        align(model("sd15"), references=chain(inversion_for(model("sd15"))), **settings)


def test_another_model_is_refused_by_number():
    """Before anything is sampled."""
    references = chain(inversion_for(model("sd15")), inversion_for(model("sd2")))
    with pytest.raises(ValueError, match=r"references, number 2 of the chain: inversion: it was made with"):
        align(model("sd15"), references=references)


def test_other_changes_on_the_model_are_reported(caplog):
    """A LoRA that was not there at the inversion stops nothing, and is said."""
    changed = replace(identity(model("sd15")), changes="9 patched weights")
    references = chain(inversion_for(model("sd15")), tiny_inversion(8, 8, model=changed))
    with caplog.at_level(logging.INFO):
        run(align(model("sd15"), references=references))
    assert "Of reference 2, the inversion was made with 9 patched weights loaded" in caplog.text


def test_one_reference_is_one_picture():
    """The error names the input, what was passed and what to do."""
    with pytest.raises(ValueError, match=r"inversions of 2 pictures.*chain a StyleReference for each"):
        chain(tiny_inversion(8, 8, images=2))
