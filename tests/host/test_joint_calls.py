"""One joint call of the host's attention: what parts change arrives at the picture's queries alone."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import pytest
import torch
from attention_control.attention_patches.attention import joint
from attention_control.attention_patches.attention.joint import JointCall, KeyPart
from attention_control.attention_patches.contract.call.site import Rows, Site, Text
from attention_control.attention_patches.contract.layers.layer import Layer
from attention_control.nodes.host.calls.inside.backend import HostCall
from attention_control.nodes.host.calls.inside.seen_attention import SeenAttention, why_foreign
from attention_control.nodes.host.families.family import Seen
from comfy.ldm.modules.attention import attention_pytorch

from .tiny.precision import nearly

PARTS = (KeyPart("text", 5), KeyPart("padding", 3), KeyPart("image", 12), KeyPart("reference picture 1", 4))
IMAGE, TEXT = slice(8, 20), slice(0, 5)
SEEN = Seen(("double", 0, None), (3, 4), PARTS, IMAGE)
HEADS, ROWS = 2, 4


@dataclass
class Part:
    """Calls `change(qkv, attend)` in one kind of attention."""

    kind: str
    change: Any
    order: ClassVar = "edit"

    def wants(self, site):
        return site.kind == self.kind

    def __call__(self, site, qkv, attend):
        return self.change(qkv, attend)


def tensors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(ROWS, HEADS, 24, 8, generator=generator) for _ in range(3)]


def call(q, k, v, layout="heads", mask=None):
    """A call of the host in one of its layouts."""
    if layout == "heads":
        return HostCall(None, attention_pytorch, (q, k, v), HEADS, (mask,), {"skip_reshape": True})
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if layout != "values by head":
        v = v.flatten(2)
    kwargs = {} if mask is None else {"mask": mask}
    return HostCall(None, attention_pytorch, (q.flatten(2), k.flatten(2), v), HEADS, (), kwargs)


def through(parts, host):
    rows = Rows((0, 1), ROWS // 2, (Text("positive", 0, 5), Text("negative", 0, 5)))
    layer = Layer(1, 1, "double", 0, None)
    sites = {
        kind: Site("toy", kind, layer, (3, 4), slice(0), slice(0), HEADS, 0.0, 1.0, rows)
        for kind in ("self", "cross")
    }
    out = SeenAttention(host, SEEN).through([(part, sites[part.kind]) for part in parts])
    return out.unflatten(-1, (HEADS, 8)).transpose(1, 2)


def naive(q, k, v, bias=0.0):
    q, k, v = q.double(), k.double(), v.double()
    return (q @ k.transpose(-1, -2) / 8**0.5 + bias).softmax(-1) @ v


@pytest.mark.parametrize("layout", ["heads", "flat", "values by head"])
def test_nothing_is_the_hosts_own_call(layout):
    """To the bit, whatever views there are."""
    q, k, v = tensors()
    parts = [Part(kind, lambda qkv, attend: attend(qkv)) for kind in ("self", "cross", "self")]
    out = through(parts, call(q, k, v, layout)).transpose(1, 2).flatten(2)
    assert torch.equal(out, call(q, k, v, layout).untouched())


@pytest.mark.parametrize("layout", ["heads", "flat", "values by head"])
def test_a_result_arrives_where_it_should(layout):
    """The picture's queries get what the part gives back; all others what they would get."""
    q, k, v = tensors()
    plain = naive(q, k, v)
    out = through([Part("cross", lambda qkv, attend: 2 * attend(qkv))], call(q, k, v, layout))
    assert nearly(out[:, :, IMAGE], 2 * plain[:, :, IMAGE], rtol=1e-4, atol=1e-6)
    for others in (slice(0, 8), slice(20, 24)):
        assert nearly(out[:, :, others], plain[:, :, others], rtol=1e-4, atol=1e-6)


def test_keys_values_biases_and_further_keys_in_two_views():
    """Equal to one float64 softmax over all of it; the host's mask stays."""
    q, k, v = tensors()
    mask = torch.zeros(ROWS, 1, 24)
    mask[:, :, 5:8] = -3.0
    own, text = torch.randn(1, 1, 12, 12), torch.randn(1, 1, 12, 5)
    further = torch.randn(ROWS, HEADS, 6, 8), torch.randn(ROWS, HEADS, 6, 8)
    parts = [
        Part("self", lambda qkv, attend: attend(replace(qkv, k=2 * qkv.k).add_bias(own))),
        Part("cross", lambda qkv, attend: attend(replace(qkv, v=3 * qkv.v).add_bias(text))),
        Part("self", lambda qkv, attend: attend(qkv.append(*further, rows=[False, True, False, True]))),
    ]
    out = through(parts, call(q, k, v, mask=mask))
    k2, v2 = k.clone(), v.clone()
    k2[:, :, IMAGE] *= 2
    v2[:, :, TEXT] *= 3
    bias = mask[:, None].expand(ROWS, 1, 12, 24).clone().double()
    bias[..., IMAGE] += own
    bias[..., TEXT] += text
    for row in range(ROWS):
        keys, values, weights = k2[row], v2[row], bias[row]
        if row % 2:
            keys, values = torch.cat([keys, further[0][row]], 1), torch.cat([values, further[1][row]], 1)
            weights = torch.cat([weights, weights.new_zeros(1, 12, 6)], -1)
        expected = naive(q[row, :, IMAGE], keys, values, weights)
        assert nearly(out[row, :, IMAGE], expected, rtol=1e-4, atol=1e-5)
    others = naive(q, k, v, mask[:, None].double())
    assert nearly(out[:, :, :8], others[:, :, :8], rtol=1e-4, atol=1e-5)


def test_an_edit_sees_its_maps_as_it_has_left_them():
    """One of the picture's columns, which stand first in its view and not in the host's call."""
    q, k, v = tensors()

    def stronger(map_, queries):
        return torch.cat([map_[..., :12] * 2, map_[..., 12:]], -1)

    parts = [
        Part("cross", lambda qkv, attend: attend(qkv.append(qkv.k[:, :, :1] * 0, qkv.v[:, :, :1] * 0))),
        Part("self", lambda qkv, attend: attend(qkv)),
        Part("self", lambda qkv, attend: attend(qkv.edit_map(stronger))),
    ]
    out = through(parts, call(q, k, v))
    zero = torch.zeros(ROWS, HEADS, 1, 8, dtype=torch.float64)
    keys, values = torch.cat([k.double(), zero], 2), torch.cat([v.double(), zero], 2)
    map_ = (q[:, :, IMAGE].double() @ keys.transpose(-1, -2) / 8**0.5).softmax(-1)
    map_[..., IMAGE] *= 2
    assert nearly(out[:, :, IMAGE], map_ @ values, rtol=1e-4, atol=1e-5)


def test_what_does_not_add_up_is_said():
    """Keys of another number, rows of another number; and nothing where all is as it should be."""
    q, k, v = tensors()
    assert why_foreign(SEEN, call(q, k, v), ROWS) is None
    assert why_foreign(SEEN, call(q, k[:, :, :-1], v[:, :, :-1]), ROWS).startswith(
        "another patch attends to other tokens (23 keys where there should be 5 of text, 3 of padding, "
    )
    assert why_foreign(SEEN, call(q, k, v), 2) == "another patch has made 4 rows of 2"


def test_further_queries_beside_a_text_alone_are_not_the_pictures():
    """As those of Wan's reference pictures."""
    q, k, v = tensors()
    words = Seen(SEEN.place, SEEN.grid, (KeyPart("text", k.shape[2]),), slice(0, 12))
    assert why_foreign(words, call(q[:, :, :12], k, v), ROWS) is None
    said = why_foreign(words, call(q, k, v), ROWS)
    assert said == f"it has {q.shape[2]} queries, and the picture has 12 tokens"


def image_first(call, others, image):
    return torch.cat([image, others], dim=2)


@pytest.mark.parametrize(
    ("where", "name", "mistake", "law"),
    [
        (joint, "_moved", lambda edit, *_: edit.edit, test_an_edit_sees_its_maps_as_it_has_left_them),
        (JointCall, "joined", image_first, partial(test_a_result_arrives_where_it_should, "heads")),
        (JointCall, "untouched", lambda *_: True, test_keys_values_biases_and_further_keys_in_two_views),
    ],
    ids=["edits of moved columns", "order of the queries", "changes are dropped"],
)
def test_mistakes_are_seen(monkeypatch, where, name, mistake, law):
    """Each fails the test that is there for it."""
    monkeypatch.setattr(where, name, mistake)
    with pytest.raises(AssertionError):
        law()
