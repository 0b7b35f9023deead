"""What an edit changed and what it kept, as the demo model's judge and the pixels say."""

import torch
from attention_control.demo_model.judge import Verdict
from torch import Tensor
from torch.nn.functional import max_pool2d

from measure.editing.cases import BACKGROUND, REWEIGHT, STYLE, Case, aspects
from measure.editing.sources import Source, looks
from measure.reading.subject_reader import SubjectReader, iou

MARGIN = 8  # pixels, one cell of the latents, by which what may change is larger than the mask
MOST = 100.0  # dB, of equal pictures
Measured = dict[str, list[float]]


def score(find: SubjectReader, case: Case, source: Source, images: Tensor) -> Measured:
    """By measure the values of a case's edits (B, H, W, 3).

    Edit: the aspect that was to change is as asked; of a colour that is pushed away: another than before.
    Rest: all other aspects are the source's: subjects, colours, background, style. Structure IoU: of the
    subjects found in the edit with those found in the source.
    """
    found: Measured = {"edit": [], "rest": [], "PSNR": [], "structure IoU": []}
    masks, (before,) = find(images), find(source.image[None])
    for look, image, mask, verdict in zip(case.wanted, images, masks, find.judge(images), strict=True):
        edited, kept = right(case, look, source, verdict)
        found["edit"].append(float(edited))
        found["rest"].append(float(kept))
        found["structure IoU"].append(iou(mask, before))
        found["PSNR"] += psnr(case, source, image)
    return found


def right(case: Case, look: dict[str, str], source: Source, verdict: Verdict) -> tuple[bool, bool]:
    """Whether the edit was made, and whether all else stayed."""
    shown, was, aspect = looks(source.ask, verdict), aspects(case.scene), case.kind.aspect
    now = shown.get(aspect)
    edited = now not in (None, was[aspect]) if case.kind is REWEIGHT else now == look[aspect]
    return edited, all(shown.get(name) == was[name] for name in was if name != aspect)


def psnr(case: Case, source: Source, image: Tensor) -> list[float]:
    """In dB, where nothing was to change: nowhere for a style, in the subjects for another background, and
    else outside of the subject; one value, or none."""
    if case.kind.aspect == STYLE:
        return []
    changing = ~source.subjects if case.kind.aspect == BACKGROUND else source.mask
    still = ~grown(changing)
    if not bool(still.any()):
        return []
    error = (image - source.image)[still].square().mean()
    return [min(MOST, float(-10 * torch.log10(error.clamp_min(1e-12))))]


def grown(mask: Tensor) -> Tensor:
    """The mask (H, W) bool with a margin."""
    return max_pool2d(mask[None, None].float(), 2 * MARGIN + 1, stride=1, padding=MARGIN)[0, 0] > 0.5
