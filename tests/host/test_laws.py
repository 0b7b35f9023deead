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
from .tiny import SHAPES

# One method keeps all laws on all shapes. When the others work and what they leave behind hangs on no model;
# what they are fed does, and is seen on the deepest shape too, once for each way through the host.
# What a method leaves behind and whether it repeats hangs on no setting either.
CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method in METHODS
    for shape in SHAPES
    if (method.has_naive or law not in NEEDS_NAIVE)
    and not (method.remembers and law in NOT_FOR_MEMORY)
    and not (law in OF_THE_KIND and method.name in SAME_WAY and not method.remembers)
    and (shape == "sd15" or method is METHODS[0] or (shape == "sdxl" and law in OF_THE_MODEL))
    and (shape == "sd15" or method in OTHER_WAYS)
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
    law(method, "sd15")
    assert used
