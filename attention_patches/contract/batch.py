"""What a run is about to sample, as a method is told before it begins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from .call.site import Text
from .layers.layer_map import NO_LAYERS, LayerMap
from .layers.layer_size import LayerSize
from .layers.preset import Preset

NOT_THIS_PROMPT = (
    "its prompts are not among the positive conditionings; connect the node's own CONDITIONING to the sampler"
)


@dataclass(frozen=True)
class Batch:
    """What a run is about to sample.

    `conditionings` holds the rows of each conditioning by role, `texts` the texts of all of them,
    `layer_sizes` the layers by ordinal. `presets` are what the methods' authors use on this kind of model, by
    names that the methods choose. `tell` shows a line on the method's node while the run goes on, `draw`
    maps (images, h, w) in 0..1 as a picture; it asks for them only where somebody looks.
    `residuals` are the blocks whose residuals a part may see. `window` is the size (height, width) in cells
    of what the model sees of the picture at once, None where that is all of it. `levels` are the noise levels
    at which the sampler's steps begin (it may call the model between them) and `noise` (B, C, h, w) what it
    begins with, zeros if it goes on with the latents of another; both are known when the methods begin.
    For `remembered` steps behind a change of its latents the sampler goes on from what it expected before it.
    `numbers` are the images' in the batch of their seed, as their noise tells: 2, 3 if a node has cut these
    two out of a larger one. Empty where it does not tell.
    `checkpoints` says whether a gradient's pass holds one layer at a time, or else its whole graph.
    """

    images: int
    latent: tuple[int, int]  # (height, width) in cells
    layers: LayerMap
    layer_sizes: Mapping[int, LayerSize]
    presets: Mapping[str, Preset]
    conditionings: Mapping[str, Sequence[int]]
    texts: Sequence[Text]
    tell: Callable[[str], None]
    residuals: LayerMap = NO_LAYERS
    checkpoints: bool = True
    window: tuple[int, int] | None = None
    levels: tuple[float, ...] = ()
    noise: Tensor | None = field(default=None, compare=False, repr=False)
    remembered: int = 0
    numbers: tuple[int, ...] = ()
    draw: Callable[[Callable[[], Tensor]], None] = lambda make: None
    cell: int = 8  # pixels of a side

    @property
    def picture(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.latent[1] * self.cell, self.latent[0] * self.cell

    def text_tokens(self, role: str) -> tuple[int, ...]:
        """The lengths of the texts of a role."""
        return tuple(text.tokens for text in self.texts if text.role == role)

    def check_prompts(self, label: str, images: int, prompts: str) -> None:
        """Raises ValueError unless there is an image for each of a method's prompts, which are named."""
        if self.images != images:
            raise ValueError(
                f"{label} has {images} prompts ({prompts}), and the latent to sample has {self.images} "
                "images. Connect the node's own LATENT output to the sampler's latent image: it has an image "
                "for each prompt, all of the same noise."
            )

    def preset(self, name: str) -> Preset:
        """What a method's authors use here. Raises ValueError for families that the method was never tried
        on."""
        if name in self.presets:
            return self.presets[name]
        raise ValueError(
            f"layers: {name} has no layers of its own for {self.layers.family} models. Name the layers; this "
            f"model has {self.layers.describe()}."
        )
