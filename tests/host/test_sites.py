"""What a patch is told of each attention call, against what the host really computes."""

from dataclasses import dataclass, field

import pytest
from attention_control.attention_patches.contract.layers import LayerSize
from attention_control.attention_patches.contract.method import Patch
from attention_control.attention_patches.contract.site import Text
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.ldm.modules.attention import BasicTransformerBlock

from .methods import IMAGES
from .tiny import SHAPES, conditioning, sample, tiny_model

HALF = {1: (7, 9), 2: (4, 5), 4: (2, 3), 8: (1, 2)}  # the host rounds up


@dataclass(frozen=True, kw_only=True)
class Recorder(Patch):
    """Keeps every site and the shapes of its tensors."""

    seen: list = field(default_factory=list, compare=False)

    def wants(self, site):
        return True

    def __call__(self, site, qkv, attend):
        self.seen.append((site, qkv.q.shape, qkv.k.shape))
        return attend(qkv)


@pytest.mark.parametrize("shape", SHAPES)
def test_sites_tell_what_the_host_computes(shape):
    """All blocks of the family in order, self before cross, with grid, heads, rows, sigma and progress."""
    model = tiny_model(shape, layout="real")
    recorder = Recorder()
    prompts = conditioning(model, IMAGES, seed=1), conditioning(model, seed=2)
    sample(install(model, recorder), *prompts, batch=IMAGES, height=7, width=9, steps=2)
    total = {"sd15": 16, "sd2": 16, "sdxl": 70}[shape]
    assert len(recorder.seen) == 2 * 2 * total
    blocks = [m for m in model.model.diffusion_model.modules() if isinstance(m, BasicTransformerBlock)]
    assert len(blocks) == total
    layers = family_of(model).layer_map().layers
    for call, (site, q, k) in enumerate(recorder.seen):
        assert site.layer == layers[call // 2 % total]
        assert (site.layer.ordinal, site.layer.total) == (call // 2 % total + 1, total)
        assert site.kind == ("self", "cross")[call % 2]
        assert site.grid in HALF.values()
        assert tuple(q[:3]) == (2 * IMAGES, site.heads, site.grid[0] * site.grid[1])
        keys = {"self": q[2], "cross": 77}[site.kind]
        assert k[2] == keys == site.image_tokens.stop + site.text_tokens.stop
        assert (site.image_tokens.stop > 0) == (site.kind == "self")
        assert (sorted(site.rows.sources), site.rows.images) == ([0, 1], IMAGES)
        assert site.progress == (0.0, 0.5)[call // (2 * total)]
        assert family_of(model).layer_sizes((7, 9))[site.layer.ordinal] == LayerSize(
            site.grid, site.heads, q[3]
        )
        named = {0: Text("positive", 0, 77), 1: Text("negative", 0, 77)}
        assert site.rows.texts == tuple(named[source] for source in site.rows.sources)
    sigmas = [site.sigma for site, _, _ in recorder.seen]
    assert sigmas == sorted(sigmas, reverse=True)
    assert len(set(sigmas)) == 2


def test_grids_follow_the_levels():
    """The rectangle shrinks from level to level and grows back, never transposed."""
    model = tiny_model("sd15", layout="real")
    recorder = Recorder()
    prompts = conditioning(model, seed=1), conditioning(model, seed=2)
    sample(install(model, recorder), *prompts, batch=1, height=7, width=9, steps=1)
    grids = {str(site.layer): site.grid for site, _, _ in recorder.seen}
    level = {"input": {1: 1, 2: 1, 4: 2, 5: 2, 7: 4, 8: 4}, "middle": {0: 8}}
    level["output"] = {3: 4, 4: 4, 5: 4, 6: 2, 7: 2, 8: 2, 9: 1, 10: 1, 11: 1}
    assert grids == {
        f"{block} {number}.0": HALF[factor]
        for block, numbers in level.items()
        for number, factor in numbers.items()
    }
