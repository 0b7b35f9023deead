"""LoadExamplePicture: the pack's pictures, as the host would load them."""

import folder_paths
import pytest
import torch
from attention_control.nodes.demo.load_example_picture_node import FOLDER, LoadExamplePicture
from nodes import LoadImage

from .node_calls import call_node

NAMES = LoadExamplePicture.define_schema().inputs[0].options


@pytest.mark.parametrize("name", NAMES)
def test_pictures_and_masks_are_those_of_load_image(name, tmp_path, monkeypatch):
    """What LoadImage gives of the same file; without a painted object the mask has the picture's size."""
    for directory in ("input", "temp"):
        monkeypatch.setattr(
            folder_paths, f"{directory}_directory", str(FOLDER if directory == "input" else tmp_path)
        )
    image, mask = call_node(LoadExamplePicture, picture=name)
    expected, painted = LoadImage().load_image(f"{name}.png")
    assert torch.equal(image, expected)
    assert mask.shape == image.shape[:3]
    assert torch.equal(mask, painted) if painted.any() else not mask.any()
    assert len(list(tmp_path.glob("*.png"))) == 1, "the node shows it"
