"""What does not work on transformers is refused, with the reason."""

import inspect

import pytest
import torch
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from attention_control.nodes.edit.shape_variations_node import ShapeVariations
from attention_control.nodes.host.run.install import install
from attention_control.nodes.style.cross_image_attention_node import CrossImageAttention

from .joint_softmax import Looking
from .just import Just
from .tiny.transformers import painted, transformer


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


REFUSED = (
    CrossImageAttention,
    PlugAndPlay,
    ShapeVariations,
)


@pytest.mark.parametrize("node", REFUSED)
def test_what_does_not_work_is_refused_with_its_reason(node):
    """By the model's name, with the method's, why, where it works, and what works here."""
    given = {
        "model": transformer("flux"),
        "sigmas": torch.tensor([1.0, 0.0]),
        "latent": {"samples": torch.zeros(1, 16, 8, 8)},
        "cfg": 1.0,
    }
    wanted = inspect.signature(node.execute).parameters
    with pytest.raises(
        ValueError, match=rf"^model: this is Flux, on which {node.__name__}\w* does not work"
    ) as e:
        node.execute(**{name: given.get(name) for name in wanted})
    assert ": it " in str(e.value) or ": beside " in str(e.value)
    here = "InvertLatent, LayoutGuidance, MultiDiffusion, PromptToPrompt and StyleAligned"
    assert "U-Nets" in str(e.value) and here in str(e.value)


def test_videos_are_refused():
    """Before anything is computed."""
    video = torch.zeros(1, 16, 5, 4, 4)
    with pytest.raises(ValueError, match="latent_image holds 5 frames"):
        painted(install(transformer("qwen-image"), Just([Looking()])), "qwen-image", latent=video)
