"""Every law for every method on every shape of U-Net."""

import pytest
from attention_control.attention_patches.attention import attention

from .laws import (
    LAWS,
    NEEDS_NAIVE,
    NOT_FOR_MEMORY,
    OF_THE_KIND,
    OF_THE_MODEL,
    any_size,
    equals_naive,
    keeps_precision,
)
from .methods import METHODS, OTHER_WAYS, SAME_WAY
from .specimen import SHALLOW, SHALLOW_XL


def shapes(law, method):
    """The first method keeps the laws of the model on each, of three levels but for SD1.5's. When methods
    work and what they leave behind hangs on no model; what they are fed does, and is seen beside the vectors
    of SDXL. Settings that take the same way as another are seen where they matter."""
    if law in OF_THE_KIND and method.name in SAME_WAY and not method.remembers:
        return ()
    if method.remembers and method.name in SAME_WAY:
        return ("sd15",)  # masks are found in the attention of more layers than a shallow model has
    if method is METHODS[0]:
        return (SHALLOW, "sd2", "sdxl") if law in OF_THE_MODEL else (SHALLOW,)
    return (SHALLOW_XL,) if law in OF_THE_MODEL and method in OTHER_WAYS else (SHALLOW,)


CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method in METHODS
    if (method.has_naive or law not in NEEDS_NAIVE) and not (method.remembers and law in NOT_FOR_MEMORY)
    for shape in shapes(law, method)
]


@pytest.mark.parametrize(("law", "method", "shape"), CASES)
def test_law(law, method, shape):
    """The law holds."""
    law(method, shape)


BIASED = [
    specimen for specimen in METHODS if specimen.name in ("bounded", "shift and scale, last is reference")
]


@pytest.mark.parametrize("law", [any_size, equals_naive, keeps_precision], ids=lambda law: law.__name__)
@pytest.mark.parametrize("method", BIASED, ids=lambda method: method.name)
def test_law_with_biases_in_the_heads(law, method, monkeypatch):
    """As it is on large grids, whose masks would be too large."""
    used = []

    def always(q, parts):
        columns = [product for part in parts for product in part.columns]
        used.extend(columns)
        return bool(columns)

    monkeypatch.setattr(attention, "worth_it", always)
    law(method, SHALLOW)
    assert used
