"""How near a reconstruction comes to its picture, in words that a user can act on."""

from collections.abc import Sequence

from torch import Tensor

from .inversion import Inversion, psnr

EXACT, NEAR = 60.0, 30.0  # dB


def describe(inversion: Inversion, result: Tensor, differences: Sequence[str]) -> str:
    """A text on latents `result` (B, C, h, w) that an inversion was followed to.

    `differences` says what is not as it was in the inversion (CFG, prompt, LoRA), each as a sentence.
    """
    each = [psnr(ours, truth) for ours, truth in zip(result, inversion.picture, strict=True)]
    figures = ", ".join(f"{value:.1f} dB" if value < 100 else "over 100 dB" for value in each)
    worst = min(each)
    mend = _mend(inversion, worst, differences)
    return f"PSNR in latent space: {figures}. {_meaning(worst)} {mend}".strip()


def _meaning(figure: float) -> str:
    if figure >= EXACT:
        return "The picture comes back exactly, but for rounding."
    if figure >= NEAR:
        return "The picture comes back with differences that are hardly seen."
    return "The picture comes back changed."


def _mend(inversion: Inversion, figure: float, differences: Sequence[str]) -> str:
    if differences:
        return " ".join(differences)
    if figure >= NEAR:
        return ""
    if inversion.method != "edit friendly ddpm":
        more = "invert with more steps" if inversion.cfg == 1.0 else "invert with cfg 1"
        flows = inversion.method == "ddim" and inversion.path == "rectified flow"
        return f"To come nearer, {more}, {'with rf-solver, ' if flows else ''}or with edit friendly ddpm."
    return "All settings are those of the inversion, so something else on the model or in the prompt differs."
