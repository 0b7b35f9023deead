"""The ways to edit a picture that are compared, by name."""

from collections.abc import Callable

from torch import Tensor

from measure.editing.runs import Bench

MATCHED = 0.4  # percent of the schedule from which img2img goes on: where self-attention is let go
Way = Callable[[Bench], Tensor | None]
"""The pictures (edits, SIZE, SIZE, 3); None where the way is not for such edits."""


def blended(bench: Bench) -> Tensor | None:
    blend = bench.case.blend
    return bench.prompt_to_prompt(**blend) if blend else None


def advised(bench: Bench) -> Tensor:
    """Earlier ends where there is a new noun, place or style, blended where there is something to keep."""
    return bench.prompt_to_prompt(**bench.case.freed, **bench.case.blend)


def of_the_picture(bench: Bench) -> Tensor:
    """Blended where there is something to keep, as the node advises it for pictures of one's own."""
    blend = bench.case.blend
    return bench.of_the_picture(**blend, blend_from=0.2) if blend else bench.of_the_picture()


def img2img(bench: Bench) -> Tensor:
    return bench.img2img(MATCHED)


OF_SAMPLED: dict[str, Way] = {
    "plain, same seed": Bench.plain,
    "P2P, cross only": lambda bench: bench.prompt_to_prompt(self_until=0.0),
    "P2P, self only": lambda bench: bench.prompt_to_prompt(cross_until=0.0),
    "P2P": Bench.prompt_to_prompt,
    "P2P, blend": blended,
    "P2P, as advised": advised,
    "img2img": img2img,
}
OF_RENDERED: dict[str, Way] = {
    "P2P of a scene": of_the_picture,
    "PnP of a scene": Bench.plug_and_play,
    "img2img of a scene": img2img,
}
