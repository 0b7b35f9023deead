"""The laws for the methods that shift latents by gradients; they have no single attention call to compare."""

import pytest

from .guidance_methods import METHODS
from .laws import LAWS, NEEDS_NAIVE, OF_THE_MODEL

CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method in METHODS
    for shape in ("sd15", "sdxl")
    if law not in NEEDS_NAIVE and (shape == "sd15" or (law in OF_THE_MODEL and method is METHODS[0]))
]


@pytest.mark.parametrize(("law", "method", "shape"), CASES)
def test_law(law, method, shape):
    """The law holds."""
    law(method, shape)
