"""What ResBlocks add to their shortcuts, as parts see it: where, what, beside whom."""

from dataclasses import dataclass, field

import pytest
import torch
from attention_control.attention_patches.contract.attention_part import StepAside
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.run.install import install
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock

from .inventory import inventory
from .just import Just
from .specimen import model
from .tiny import assert_same_image, conditioning, sample, split_calls

SIZE = {"height": 5, "width": 9, "batch": 2, "steps": 1}


@dataclass
class Seen:
    """Keeps what passes and gives it on, as `change` makes it."""

    wanted: frozenset[int] | None = None
    change: object = None
    sites: list = field(default_factory=list)
    found: dict = field(default_factory=dict)

    def wants_residual(self, site):
        return self.wanted is None or site.layer.ordinal in self.wanted

    def residual(self, site, h):
        self.sites.append(site)
        self.found.setdefault(str(site.layer), []).append(h)
        return h if self.change is None else self.change(h)


def run(patcher, **how):
    prompts = conditioning(patcher, seed=1), conditioning(patcher, seed=2)
    return sample(patcher, *prompts, **{**SIZE, **how})


def resblocks(patcher):
    """(name, module), in order of execution, found without the family."""
    unet = patcher.model.diffusion_model
    places = [(f"input {n}", part) for n, part in enumerate(unet.input_blocks)]
    places += [("middle 0", unet.middle_block)]
    places += [(f"output {n}", part) for n, part in enumerate(unet.output_blocks)]
    found = []
    for name, module in places:
        own = [part for part in module if isinstance(part, ResBlock)]
        found += [(f"{name}.{index}", part) for index, part in enumerate(own)]
    return found


def test_every_block_is_named_once_and_in_order(shape):
    """The middle has two; blocks without one are left out."""
    layers = family_of(model(shape)).residual_map().layers
    assert [str(layer) for layer in layers] == [name for name, _ in resblocks(model(shape))]
    assert "middle 0.1" in [str(layer) for layer in layers]
    assert [layer.ordinal for layer in layers] == list(range(1, len(layers) + 1))


def test_it_is_what_the_block_adds(shape):
    """Seen behind the last convolution, as hooks on the modules see it; the picture stays, to the bit."""
    patcher, seen, hooked = model(shape), Seen(), {}
    plain = run(patcher)
    handles = [
        block.out_layers[-1].register_forward_hook(
            lambda _module, _inputs, h, name=name: hooked.setdefault(name, []).append(h.clone())
        )
        for name, block in resblocks(patcher)
    ]
    try:
        out = run(install(patcher, Just([seen])))
    finally:
        for handle in handles:
            handle.remove()
    assert torch.equal(out, plain)
    assert seen.found.keys() == hooked.keys()
    for name, tensors in hooked.items():
        assert all(torch.equal(*pair) for pair in zip(tensors, seen.found[name], strict=True))


def test_what_it_gives_is_added_in_place(shape):
    """Of nothing added the block is its shortcut alone."""
    patcher = model(shape)
    name, block = resblocks(patcher)[-2]
    ordinal = next(x.ordinal for x in family_of(patcher).residual_map().layers if str(x) == name)
    out = run(install(patcher, Just([Seen(frozenset({ordinal}), torch.zeros_like)])))
    handle = block.register_forward_hook(lambda module, inputs, h: module.skip_connection(inputs[0]))
    try:
        expected = run(patcher)
    finally:
        handle.remove()
    assert_same_image(out, expected)
    assert not torch.allclose(out, run(patcher), rtol=0.01)


def test_it_is_told_whose_rows_they_are():
    """The texts of the chunks, the noise level, in one call and in two."""
    together, apart = Seen(), Seen()
    run(install(model("sd15"), Just([together])))
    with split_calls(model("sd15"), rows=2):
        run(install(model("sd15"), Just([apart])))
    for seen, chunks in ((together, [2]), (apart, [1, 1])):
        first = [site for site in seen.sites if site.layer.ordinal == 1]
        assert [len(site.rows.sources) for site in first] == chunks
        roles = {text.role for site in first for text in site.rows.texts}
        assert roles == {"positive", "negative"} and {site.rows.images for site in first} == {2}
        assert all(site.percent < 0.01 and site.sigma > 14 for site in first)


def test_no_module_is_changed_while_it_is_seen():
    """Neither the block nor what it is made of, nor the model's options."""
    patcher, during = model("sd15"), []
    before = inventory(patcher)

    def look(h):
        during.append(inventory(patcher))
        return h

    run(install(patcher, Just([Seen(change=look)])))
    assert during and all(one == before for one in [*during, inventory(patcher)])


def test_another_packs_block_patch_works_inside(report):
    """What others have put round a layer is called as before."""
    patcher = model("sd15").clone()
    calls = []

    def theirs(layer, x, emb, context, options, *rest):
        calls.append(options["block"])
        return layer(x, emb)

    patcher.set_model_patch((ResBlock, theirs), "forward_timestep_embed_patch")
    seen = Seen()
    out = run(install(patcher, Just([seen])))
    assert len(calls) == len(seen.sites) == len(resblocks(patcher))
    assert torch.equal(out, run(model("sd15")))


def test_a_block_that_another_pack_computes_is_told(report):
    """It never comes to us, and the report says which."""
    patcher = model("sd15").clone()

    def theirs(layer, x, *rest):
        return layer.skip_connection(x)

    patcher.set_model_patch((ResBlock, theirs), "forward_timestep_embed_patch")
    ordinal = next(x.ordinal for x in family_of(patcher).residual_map().layers if x.block == "middle")
    run(install(patcher, Just([Seen(frozenset({ordinal}))])))
    assert "another patch computes the block there itself" in report("Just")[-1][1]


def test_stepping_aside_is_told(report):
    """With the part's own reason."""

    class Aside(Seen):
        def wants_residual(self, site):
            return StepAside("of a reason")

    run(install(model("sd15"), Just([Aside()])))
    assert "of a reason" in report("Just")[-1][1]


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_blocks_are_counted_by_themselves_at_real_size(shape):
    """SD1.5 has 22 and SDXL 17, and `output 5` is its ResBlock."""
    layers = family_of(model(f"{shape}, real")).residual_map()
    assert len(layers.layers) == {"sd15": 22, "sdxl": 17}[shape]
    (ordinal,) = layers.parse("output 5")
    assert str(layers.layers[ordinal - 1]) == "output 5.0"
