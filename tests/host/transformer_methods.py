"""The methods as the laws see them on transformers: how they are put on a tiny one, and when they are off."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from attention_control.attention_patches.contract.method import Method
from attention_control.attention_patches.contract.schedule import PercentRange
from attention_control.attention_patches.layout.descent import Effort
from attention_control.attention_patches.layout.regions import Layout
from attention_control.attention_patches.methods.bounded_attention.guidance import BoundedGuidance
from attention_control.attention_patches.methods.bounded_attention.method import BoundedAttention
from attention_control.attention_patches.methods.layout_guidance import LayoutGuidance
from attention_control.attention_patches.methods.multidiffusion.method import MultiDiffusion
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install

from .guidance_methods import LAYOUT
from .naive_prompts import Words
from .settings_of_methods import BY_REFERENCE, EACH_ALONE, edit_of
from .tiny.transformer_shapes import FURTHER, SIX
from .tiny.transformers import transformer


@dataclass(frozen=True, eq=False)
class OnTransformers:
    """A method; `influences[i]` are the images that may change image i of three."""

    name: str
    method: Callable[..., Method]
    settings: dict[str, Any]
    influences: tuple[set[int], ...]
    off: tuple[dict[str, Any], ...] = ()
    kinds: tuple[str, ...] = SIX
    exact: frozenset[int] = frozenset()  # images that stay as they are, to the bit

    def on(
        self, kind: str, model: Any = None, during: tuple[float, float] = (0.0, 1.0), **changes: Any
    ) -> Any:
        """A clone of the tiny model of this kind, or of the one given, with the method."""
        model = transformer(kind) if model is None else model
        settings = {**self.settings, **changes}
        if any(each.name == "layers" for each in fields(self.method)):
            settings["layers"] = family_of(model).layer_map().parse("all")
        return install(model, self.method(during=PercentRange(*during), **settings))


NOWHERE = Layout(((),))
ONCE = Effort(1.0, iterations=1, target=0.0)
GUIDANCE = BoundedGuidance(effort=ONCE, layers=frozenset({1}))

METHODS = (
    OnTransformers(
        "style aligned",
        StyleAligned,
        {},
        BY_REFERENCE,
        off=({"sharing": "off", "adain": "off"},),
        kinds=(*SIX, *FURTHER),
        exact=frozenset({0}),
    ),
    OnTransformers(
        "prompt to prompt",
        PromptToPrompt,
        {"edits": (edit_of(Words({}, {})),) * 2, "self_until": 1.0, "self_max_tokens": 1 << 20},
        BY_REFERENCE,
        off=({"self_until": 0.0},),
        kinds=("flux", "sd3", "cosmos"),
        exact=frozenset({0}),
    ),
    OnTransformers(
        "multidiffusion",
        MultiDiffusion,
        {"window": (4, 6), "stride": 4},
        EACH_ALONE,
        kinds=("flux", "krea2"),
    ),
    OnTransformers(
        "bounded attention, guided",
        BoundedAttention,
        {"layout": LAYOUT, "refine_from": 1.0, "guidance": GUIDANCE},
        EACH_ALONE,
        off=({"layout": NOWHERE},),
        kinds=(*SIX, "wan", "hunyuan-image", "aura-flow"),
    ),
    OnTransformers(
        "bounded attention",
        BoundedAttention,
        {"layout": LAYOUT, "refine_from": 1.0},
        EACH_ALONE,
        off=({"layout": NOWHERE},),
        kinds=("hidream",),
    ),
    # takes the same way as the guidance of bounded attention
    OnTransformers(
        "layout guidance",
        LayoutGuidance,
        {"layout": LAYOUT, "effort": ONCE},
        EACH_ALONE,
        off=({"layout": NOWHERE}, {"loss_scale": 0.0}),
        kinds=("flux", "cosmos"),
    ),
)
CASES = [(method, kind) for method in METHODS for kind in method.kinds]
