"""What models that were distilled make of an inversion that follows their own direction."""

from typing import Any

import comfy.supported_models

from ....attention_patches.inversion.inversion import InversionMethod

FEW_STEPS = (comfy.supported_models.FluxSchnell,)  # Turbo and Lightning models cannot be told from others
OWN_GUIDANCE = 3.5  # of the host, where no node has set one


def distillation_remark(model: Any, positive: Any, method: InversionMethod) -> str | None:
    """Why the picture may be missed, and what to do; None if nothing of the MODEL and the prompt says so."""
    if method == "edit friendly ddpm":  # exact, whatever the model expects
        return None
    params = getattr(model.get_model_object("diffusion_model"), "params", None)
    # the host takes Ovis-Image, which norms its text, for a Flux.1 without a guidance
    if isinstance(model.model.model_config, FEW_STEPS) and not getattr(params, "txt_norm", False):
        return (
            "The model was distilled for few steps, and its directions lead nowhere between them: use edit "
            "friendly ddpm, or the model that it was made from."
        )
    if not getattr(params, "guidance_embed", False):
        return None
    highest = max((more.get("guidance", OWN_GUIDANCE) for _, more in positive), default=1.0)
    if highest <= 1.0:
        return None
    return (
        f"The model is told a guidance of {highest:g}, and {method} comes near the picture at 1 only: put "
        "FluxGuidance at 1 behind the prompt, or use edit friendly ddpm."
    )
