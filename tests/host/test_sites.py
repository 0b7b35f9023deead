"""What a part is told of each attention call, against what the host really computes."""

import pytest
from attention_control.attention_patches.contract.call.site import WHOLE_PICTURE
from attention_control.attention_patches.contract.layers.layer_size import LayerSize
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from attention_control.nodes.host.text.prompt_identity import digest_of
from comfy.ldm.modules.attention import BasicTransformerBlock

from .just import Just, Witness
from .specimen import IMAGES
from .specimen import model as model_of
from .tiny import SHAPES, conditioning, sample

HALF = {1: (7, 9), 2: (4, 5), 4: (2, 3), 8: (1, 2)}  # the host rounds up


@pytest.mark.parametrize("shape", SHAPES)
def test_sites_tell_what_the_host_computes(shape):
    """All blocks of the family in order, self before cross, with grid, heads, rows, texts, sigma, percent."""
    model = model_of(f"{shape}, real")
    witness = Witness()
    prompts = conditioning(model, IMAGES, seed=1), conditioning(model, seed=2)
    sample(install(model, Just([witness])), *prompts, batch=IMAGES, height=7, width=9, steps=2)
    to_sigma = model.get_model_object("model_sampling").percent_to_sigma
    total = {"sd15": 16, "sd2": 16, "sdxl": 70}[shape]
    assert len(witness.seen) == 2 * 2 * total
    blocks = [m for m in model.model.diffusion_model.modules() if isinstance(m, BasicTransformerBlock)]
    assert len(blocks) == total
    layers = family_of(model).layer_map().layers
    for call, (site, qkv, _) in enumerate(witness.seen):
        q, k = qkv.q.shape, qkv.k.shape
        assert site.layer == layers[call // 2 % total]
        assert (site.layer.ordinal, site.layer.total) == (call // 2 % total + 1, total)
        assert site.kind == ("self", "cross")[call % 2]
        assert site.grid in HALF.values()
        assert tuple(q[:3]) == (2 * IMAGES, site.heads, site.grid[0] * site.grid[1])
        keys = {"self": q[2], "cross": 77}[site.kind]
        assert k[2] == keys == site.image_tokens.stop + site.text_tokens.stop
        assert (site.image_tokens.stop > 0) == (site.kind == "self")
        assert (sorted(site.rows.sources), site.rows.images) == ([0, 1], IMAGES)
        assert float(to_sigma(site.percent)) == pytest.approx(site.sigma, rel=1e-4)
        assert site.percent == pytest.approx((0.0, 1.0)[call // (2 * total)], abs=1e-3)
        assert family_of(model).layer_sizes((7, 9))[site.layer.ordinal] == LayerSize(
            site.grid, site.heads, q[3]
        )
        assert site.rows.windows == (WHOLE_PICTURE, WHOLE_PICTURE)
        for text, source in zip(site.rows.texts, site.rows.sources, strict=True):
            assert (text.role, text.entry, text.tokens) == (("positive", "negative")[source], 0, 77)
            assert text.prompt.digest == digest_of(prompts[source][0][0])
            assert text.window == WHOLE_PICTURE
    sigmas = [site.sigma for site, _, _ in witness.seen]
    assert sigmas == sorted(sigmas, reverse=True)
    assert len(set(sigmas)) == 2


def test_grids_follow_the_levels():
    """The rectangle shrinks from level to level and grows back, never transposed."""
    model = model_of("sd15, real")
    witness = Witness()
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    sample(install(model, Just([witness])), *prompts, batch=1, height=7, width=9, steps=1)
    grids = {str(site.layer): site.grid for site, _, _ in witness.seen}
    level = {"input": {1: 1, 2: 1, 4: 2, 5: 2, 7: 4, 8: 4}, "middle": {0: 8}}
    level["output"] = {3: 4, 4: 4, 5: 4, 6: 2, 7: 2, 8: 2, 9: 1, 10: 1, 11: 1}
    assert grids == {
        f"{block} {number}.0": HALF[factor]
        for block, numbers in level.items()
        for number, factor in numbers.items()
    }
