"""The laws for the methods that shift latents by gradients; they have no single attention call to compare."""

import pytest
from attention_control.attention_patches.bounded_guidance import Guidance
from attention_control.attention_patches.guidance import Effort
from attention_control.attention_patches.methods.bounded_attention import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.attention_patches.regions import Layout, Subject

from .laws import LAWS, NEEDS_NAIVE
from .methods import Method
from .tiny import SHAPES

LEFT = Subject("left", (2, 3), ((0.0, 0.0, 0.6, 0.7),))
RIGHT = Subject("right", (5,), ((0.5, 0.3, 1.0, 1.0),))
LAYOUT = Layout(((LEFT, RIGHT), (RIGHT,), (LEFT,)), fillers=(1, 4), ends=(6,))
EFFORT = Effort(1.0, iterations=1, target=0.01)
ALONE = ({0}, {1}, {2})

METHODS = [
    Method(
        "layout guidance",
        LayoutGuidance,
        {"layout": LAYOUT, "effort": EFFORT},
        ALONE,
        off=(
            {"layout": Layout(((),))},
            {"effort": Effort(0.0)},
            {"effort": Effort(1.0, iterations=0)},
            {"loss_scale": 0.0},
        ),
    ),
    Method(
        "bounded attention, guided",
        BoundedAttention,
        {"layout": LAYOUT, "refine_from": 1.0, "guidance": Guidance(effort=EFFORT)},
        ALONE,
        off=({"layout": Layout(((),))},),
    ),
]
CASES = [
    pytest.param(law, method, shape, id=f"{law.__name__}-{method.name}-{shape}")
    for law in LAWS
    for method in METHODS
    for shape in SHAPES
    if law not in NEEDS_NAIVE
]


@pytest.mark.parametrize(("law", "method", "shape"), CASES)
def test_law(law, method, shape):
    """The law holds."""
    law(method, shape)
