"""What is said of a given picture whose size is not that of the batch."""

import pytest
import torch
from attention_control.attention_patches.inversion.inversion import Inversion, ModelIdentity
from attention_control.attention_patches.methods.style_aligned.reference_picture import ReferencePicture

from .batches import batch


@pytest.mark.parametrize(("cell", "pixels"), [(8, "32 x 48"), (16, "64 x 96"), (32, "128 x 192")])
def test_sizes_are_in_pixels_of_the_model(cell, pixels):
    """Whose cells may be larger than 8 pixels, as in Flux.2 and HunyuanImage."""
    states = torch.zeros(2, 1, 4, 6, 4)
    inversion = Inversion("ddim", torch.tensor([1.0, 0.0]), states, None, ModelIdentity("", ()))
    with pytest.raises(ValueError, match=rf"reference_picture is 4 x 6 .* pictures of {pixels} pixels\)"):
        ReferencePicture(inversion, 0).check(batch(images=2, cell=cell))
