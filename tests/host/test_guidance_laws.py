"""The laws for the methods that shift latents by gradients; they have no single attention call to compare."""

import pytest

from .guidance_methods import METHODS
from .laws import LAWS, NEEDS_NAIVE, calls_do_not_matter, halves_equal_one, off_is_off, rows_do_not_leak
from .specimen import SHALLOW, SHALLOW_XL

# Both go down a gradient in the same way; what it is of differs, and so does what is measured of which row.
OF_ITS_OWN = {off_is_off, calls_do_not_matter, rows_do_not_leak, halves_equal_one}
CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method, shape in zip(METHODS, (SHALLOW_XL, SHALLOW), strict=True)
    if law not in NEEDS_NAIVE and (method is METHODS[0] or law in OF_ITS_OWN)
]


@pytest.mark.parametrize(("law", "method", "shape"), CASES)
def test_law(law, method, shape):
    """The law holds."""
    law(method, shape)
