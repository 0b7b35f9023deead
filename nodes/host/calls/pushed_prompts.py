"""A further prompt as a part of the negative, and whether a guider looks at the negative at all."""

from collections.abc import Mapping
from math import isclose
from typing import Any

from comfy.samplers import CFGGuider


def looks_at_negative(guider: Any, options: Mapping[str, Any]) -> bool:
    """Whether what stands as the guider's negative in a call counts. It does not where its scale leaves it
    out, nor where another model looks at it, which has conditionings of its own."""
    if hasattr(guider, "uncond_model_patcher"):  # Dual Model CFG Guider
        return False
    if options.get("disable_cfg1_optimization", False):
        return True
    if hasattr(guider, "cfg2"):  # Dual CFG Guider
        return not isclose(guider.cfg2, 1.0)
    if hasattr(guider, "neg_scale"):  # Perp-Neg Guider
        return not isclose(guider.neg_scale, 0.0)
    plain = getattr(type(guider), "predict_noise", None) is CFGGuider.predict_noise
    return not (plain and isclose(guider.cfg, 1.0))
