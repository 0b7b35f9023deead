"""The law of numbers once more where they are real: 860 million parameters, 16 layers."""

import pytest
from attention_control.nodes.host.families import family_of

from .full_size import FULL
from .laws import any_size
from .methods import METHODS
from .specimen import model

SD15 = "input 1.0, 2.0, 4.0, 5.0, 7.0, 8.0; middle 0.0; output 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0"


@pytest.mark.slow
def test_it_has_the_layers_and_parameters_of_sd15():
    """Sixteen transformers in the published places."""
    full = model(FULL)
    assert family_of(full).layer_map().describe() == SD15
    parameters = sum(p.numel() for p in full.model.diffusion_model.parameters())
    assert parameters == 859_520_964


@pytest.mark.slow
def test_it_equals_the_naive_version():
    """StyleAligned at full size; the other laws speak of when a method works, on which rows, in which calls,
    and of what it leaves behind, whatever the size."""
    any_size(METHODS[0], FULL)
