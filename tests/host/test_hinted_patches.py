"""The host's ControlNets that stand on the model, by its own classes on toy networks."""

from types import SimpleNamespace

import pytest
import torch
from attention_control.nodes.host.facts.hinted_patches import hinted, without_hinted
from comfy.ldm.anima.lllite import AnimaLLLiteAttentionPatch, AnimaLLLiteMLPPatch, AnimaLLLitePatch
from comfy_extras import nodes_model_patch
from comfy_extras.nodes_model_patch import DiffSynthCnetPatch, ZImageControlPatch

from .specimen import SHALLOW, model
from .test_inversion_of_flows import followed, picture
from .test_style_of_a_picture import listen
from .tiny.precision import nearly
from .tiny.transformers import transformer

PIXELS = (7 * 8, 12 * 8)
VAE = SimpleNamespace(spacial_compression_encode=lambda: 8)


def made(kind, size, toy, **fields):
    """A patch of the host's by a toy network, without encoding its hint."""
    patch = kind.__new__(kind)
    own = {"model_patch": SimpleNamespace(model=toy), "encoded_image": torch.ones(1, 24, 1)}
    vars(patch).update(strength=1.0, encoded_image_size=size, vae=VAE, models=list, **own, **fields)
    return patch


def diffsynth(patched):
    toy = SimpleNamespace(control_block=lambda img, hint, block: 0.5 * img + hint)
    patched.set_model_double_block_patch(made(DiffSynthCnetPatch, PIXELS, toy))


class ToyControl:
    """Of as many blocks as the host counts."""

    n_control_layers = 30

    def __call__(self, txt, hint, pe, vec):
        return hint

    def forward_control_block(self, block, context, img, *rest):
        return 0.5 * img + 1, context

    forward_noise_refiner_block = forward_control_block


def z_image(patched):
    patch = made(ZImageControlPatch, (8 * 8, 12 * 8), ToyControl(), temp_data=None)  # sides are made even
    patched.set_model_noise_refiner_patch(patch)
    patched.set_model_double_block_patch(patch)


def lllite(patched):
    toy = SimpleNamespace(
        cond_in_channels=3,
        encode_conditioning=lambda image: image.mean(),
        apply=lambda x, hint, block, target, strength: x * 1.5 + hint,
    )
    patch = AnimaLLLitePatch(SimpleNamespace(model=toy), torch.ones(1, *PIXELS, 3), None, 1.0, 1e9, 0.0)
    patch.models = list
    patched.set_model_post_input_patch(patch)
    patched.set_model_attn1_patch(AnimaLLLiteAttentionPatch(patch, {name: name for name in "qkv"}))
    patched.set_model_attn2_patch(AnimaLLLiteAttentionPatch(patch, {"q": "q"}))
    patched.set_model_patch(AnimaLLLiteMLPPatch(patch), "mlp_patch")


def uni3c(patched):
    """Its residuals are for all rows the same."""
    channels = torch.arange(transformer("wan").model.diffusion_model.dim) % 3.0
    toy = SimpleNamespace(
        num_layers=1,
        process_input=lambda x: (x, None),
        forward_block=lambda number, hidden, temb, freqs: (hidden, channels.repeat(len(hidden), 24, 1)),
    )
    kind = getattr(nodes_model_patch, "WanUni3CCnetPatch", None) or pytest.skip("in no older host")
    patch = kind(SimpleNamespace(model=toy), None, VAE, None, 1.0, 1e9, 0.0)
    patch.encode_render_video = lambda shape: torch.ones(1, 16, *shape)
    patch.models = list
    patched.set_model_double_block_patch(patch)


HINTS = {"qwen-image": diffsynth, "z-image": z_image, "cosmos": lllite, "wan": uni3c}


@pytest.mark.parametrize(("kind", "hint"), HINTS.items(), ids=HINTS)
def test_they_leave_a_given_picture_alone(kind, hint):
    """What the model makes of the reference is what it makes without one, in each step; of others not."""
    seen = []
    with torch.inference_mode():
        for controlled in (True, False):
            patched = transformer(kind).clone()
            if controlled:
                hint(patched)
            heard, calls = listen(patched)
            followed(kind, reference_picture=picture(kind), on=heard)
            seen.append(calls)
    assert len(seen[0]) == len(seen[1]) == 2
    for one, other in zip(*seen, strict=True):
        for half in ("cond_denoised", "uncond_denoised"):
            assert nearly(one[half][0], other[half][0], atol=1e-4)
            assert (one[half] - other[half])[1:].flatten(1).abs().amax(1).min() > 0.01


def test_supir_is_one_of_them():
    """By its methods, which are what stands on the model."""
    supir = pytest.importorskip("comfy.ldm.supir.supir_patch", reason="in no older host")
    patched = model(SHALLOW).clone()
    patched.set_model_output_block_patch(len)
    plain = patched.model_options["transformer_options"]["patches"]
    hinting = patched.clone()
    supir.SUPIRPatch(None, None, None, 1.0, 1.0).register(hinting)
    patches = hinting.model_options["transformer_options"]["patches"]
    assert hinted(plain) == [] and hinted(patches) == ["SUPIRPatch"]
    assert {place: some for place, some in without_hinted(patches).items() if some} == plain
