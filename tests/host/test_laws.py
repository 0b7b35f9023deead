"""Every law for every method on every shape of U-Net."""

import pytest

from .laws import LAWS, NEEDS_NAIVE, NOT_FOR_MEMORY
from .methods import METHODS
from .tiny import SHAPES

CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method in METHODS
    for shape in SHAPES
    if (method.has_naive or law not in NEEDS_NAIVE) and not (method.remembers and law in NOT_FOR_MEMORY)
]


@pytest.mark.parametrize(("law", "method", "shape"), CASES)
def test_law(law, method, shape):
    """The law holds."""
    law(method, shape)
