"""The methods that shift latents by gradients, as the laws see them."""

from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout, Subject
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance

from .settings_of_methods import EACH_ALONE
from .specimen import Specimen

LEFT = Subject("left", (2, 3), ((0.0, 0.0, 0.6, 0.7),))
RIGHT = Subject("right", (5,), ((0.5, 0.3, 1.0, 1.0),))
LAYOUT = Layout(((LEFT, RIGHT), (RIGHT,), (LEFT,)), fillers=(1, 4), ends=(6,))
EFFORT = Effort(1.0, iterations=1, target=0.01)

METHODS = [
    Specimen(
        "layout guidance",
        LayoutGuidance,
        {"layout": LAYOUT, "effort": EFFORT},
        EACH_ALONE,
        off=(
            {"layout": Layout(((),))},
            {"effort": Effort(0.0)},
            {"effort": Effort(1.0, iterations=0)},
            {"loss_scale": 0.0},
        ),
    ),
    Specimen(
        "bounded attention, guided",
        BoundedAttention,
        {"layout": LAYOUT, "refine_from": 1.0, "guidance": BoundedGuidance(effort=EFFORT)},
        EACH_ALONE,
        off=({"layout": Layout(((),))},),
    ),
]
