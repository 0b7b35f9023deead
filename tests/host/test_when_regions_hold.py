"""What prompts of regions may not have, and when they hold."""

import pytest
import torch
from nodes import ConditioningSetMask

from .regions import everywhere, run, text


@pytest.mark.parametrize("bounds", ["default", "mask bounds"])
def test_a_mask_on_the_prompt_of_a_region(bounds):
    """Is refused: where it is 0 in the region, nothing was expected."""
    (masked,) = ConditioningSetMask().append(text(3), torch.ones(1, 6, 14).tril(3), bounds, 1.0)
    with pytest.raises(ValueError, match="the positive of region 1 has a mask of its own"):
        run(everywhere(masked))
