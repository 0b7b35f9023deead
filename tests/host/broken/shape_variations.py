"""Shape variations with one mistake each."""

from dataclasses import replace

from attention_control.attention_patches.methods.shape_variations.method import ShapeVariations
from attention_control.attention_patches.methods.shape_variations.mixing import Mixing

from .at_work import Broken


class GivesTheProxysKeys(Broken, ShapeVariations):
    """Leaves keys as they are, so that words are looked at where the proxy's prompt has them."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            return super().__call__(site, qkv, lambda mixed: attend(replace(mixed, k=qkv.k)))


class LeavesOutTheFirstChunk(Broken, ShapeVariations):
    """Takes the first chunk of a call for the negative one, as it is where both come in one call."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            rows = replace(site.rows, texts=(None, *site.rows.texts[1:]))
            return super().__call__(replace(site, rows=rows), qkv, attend)


class TakesTheLastRow(Broken, ShapeVariations):
    """Takes the last image for the original."""

    class at_work(Mixing):
        def __call__(self, site, qkv, attend):
            turned = replace(qkv, q=qkv.q.flip(0), k=qkv.k.flip(0), v=qkv.v.flip(0))
            rows = replace(site.rows, texts=site.rows.texts[::-1], windows=site.rows.windows[::-1])
            return super().__call__(
                replace(site, rows=rows),
                turned,
                lambda mixed: attend(replace(mixed, q=qkv.q, k=mixed.k.flip(0), v=mixed.v.flip(0))),
            )
