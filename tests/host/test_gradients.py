"""Gradients of attention with respect to the latents, in the host: differences, and the whole U-Net."""

import comfy.model_management
import comfy.samplers
import comfy.sd
import pytest
import torch
from attention_control.nodes.host.families import family_of
from attention_control.nodes.host.private_weights import PrivateWeights
from attention_control.nodes.host.run.install import install
from comfy.model_management import InterruptProcessingException
from comfy_extras.nodes_freelunch import FreeU_V2

from .inventory import inventory
from .just import Just
from .slopes import DOUBLE, SIZE, Asker, Corner, agrees_with_differences, slope
from .tiny import assert_same_image, conditioning, sample, split_calls, tiny_model
from .tiny.extras import tiny_controlnet, tiny_lora


def corner(model, cross="middle", own="1, middle", **how):
    """A loss of two layers, of which the last is not the model's last."""
    layers = family_of(model).layer_map()
    return Corner(
        cross_layers=layers.parse(cross) if cross else frozenset(),
        self_layers=layers.parse(own) if own else frozenset(),
        **how,
    )


def test_central_differences(shape):
    """For eps and v-prediction, convolutional and linear projections, deep transformers; in float64."""
    model = tiny_model(shape, dtype=DOUBLE)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    agrees_with_differences(model, prompts, corner(model))


def with_companion(model, companion):
    """The model and its prompts, with a LoRA on its weights or a ControlNet on the positive prompt."""
    positive, negative = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    if companion == "lora":
        lora = tiny_lora(model.model.diffusion_model, "diffusion_model.", ("to_q", "to_k", "proj"), seed=3)
        model, _ = comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)
    if companion == "controlnet":
        control = tiny_controlnet(model)
        hint = torch.rand(1, 3, 8 * SIZE["height"], 8 * SIZE["width"], generator=torch.manual_seed(0))
        positive = [
            [t, {**e, "control": control.copy().set_cond_hint(hint, 0.7), "control_apply_to_uncond": True}]
            for t, e in positive
        ]
    return model, (positive, negative)


def naive_slope(model, prompts, objective, batch=2):
    """The whole U-Net on both halves of classifier-free guidance, without checkpoints, on copied weights.

    What the host gives the U-Net is caught from an ordinary call; the attention is computed anew in the
    host's replace slots, which no patch of the pack uses.
    """
    caught = {}

    def catch(executor, x, t, context, y, control, options, **kwargs):
        if not caught:
            kept = control and {k: [c if c is None else c.clone() for c in v] for k, v in control.items()}
            caught.update(x=x, t=t, context=context, y=y, control=kept, options=options)
        return executor(x, t, context, y, control, options, **kwargs)

    spied = model.clone()
    spied.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "spy", catch)
    sample(spied, *prompts, batch=batch, steps=1, **SIZE)
    cond = caught["options"]["cond_or_uncond"].index(0)
    layers = {(x.block, x.number, x.index): x.ordinal for x in family_of(model).layer_map().layers}
    measured = {}

    def attend(kind):
        def replacement(q, k, v, options):
            ordinal = layers[(*options["block"], options["block_index"])]
            q, k, v = (x.unflatten(-1, (options["n_heads"], -1)).transpose(1, 2) for x in (q, k, v))
            map_ = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
            if (ordinal, kind) in objective.order:
                seen = map_[cond * batch : (cond + 1) * batch]
                measured[ordinal, kind] = seen[..., : seen.shape[-1] // 3].sum(-1).square().flatten(1).mean(1)
            return (map_ @ v).transpose(1, 2).flatten(2)

        return replacement

    options = dict(caught["options"], wrappers={}, patches={})
    options["patches_replace"] = {
        name: {(block, number): attend(kind) for block, number, _ in layers}
        for name, kind in (("attn1", "self"), ("attn2", "cross"))
    }
    with torch.inference_mode(False), torch.enable_grad():
        x, t, context, y = (caught[name] for name in ("x", "t", "context", "y"))
        leaf = x.clone().requires_grad_()
        weights = {n: p.detach().clone() for n, p in model.model.diffusion_model.named_parameters()}
        arguments = (leaf, t.clone(), context.clone(), None if y is None else y.clone(), caught["control"])
        # ControlNets add in place; torch's own way to allow that mixes up tensors now and then
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept):
            torch.func.functional_call(model.model.diffusion_model, weights, (*arguments, options))
            losses = (1 - torch.stack(list(measured.values())).mean(0)).square()
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        sigma = float(caught["options"]["sigmas"][0])
    return losses, gradient[cond * batch : (cond + 1) * batch] / (1 + sigma**2) ** 0.5


@pytest.mark.parametrize(("shape", "companion"), [("sd2", "plain"), ("sdxl", "lora"), ("sd15", "controlnet")])
def test_the_whole_unet_gives_the_same(shape, companion):
    """A naive gradient, whole U-Net and both halves, is that of the cut and checkpointed pass; with a LoRA
    and with a ControlNet, whose residuals count as fixed."""
    model, prompts = with_companion(tiny_model(shape, dtype=DOUBLE), companion)
    up = next(layer.ordinal for layer in family_of(model).layer_map().layers if layer.block == "output")
    objective = corner(model, cross=f"middle, {up}", own="2")
    _, found = slope(model, prompts, objective)
    losses, gradient = naive_slope(model, prompts, objective)
    assert torch.allclose(found.losses.double(), losses.double(), rtol=1e-5)
    assert_same_image(found.gradient, gradient, tolerance=1e-4)


def test_what_others_write_in_place():
    """FreeU writes into what it has just multiplied, between the layers; the gradient knows of it."""
    model = tiny_model("sd15", dtype=DOUBLE)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    freer = FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0]
    objective = corner(model, cross="output 5", own=None)
    # its filter of the skip connections is in float32
    agrees_with_differences(freer, prompts, objective, step=1e-2, tolerance=1e-2)
    without, within = (slope(m, prompts, objective)[1].gradient for m in (model, freer))
    assert not torch.allclose(within, without, rtol=0.01)


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_only_the_positive_prompt_is_run(shape):
    """In one call with the rows of the positive prompt, and no layer behind the last measured."""
    model = tiny_model(shape)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    calls = []

    def look(executor, x, t, c_concat, c_crossattn, control, options, **named):
        calls.append((len(x), options["cond_or_uncond"], []))
        return executor(x, t, c_concat, c_crossattn, control, options, **named)

    def note(h, options):
        calls[-1][2].append(options["block"])
        return h

    spied = model.clone()
    spied.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.APPLY_MODEL, "spy", look)
    spied.set_model_input_block_patch(note)
    slope(spied, prompts, corner(model, cross=None, own="2"))
    last = family_of(model).layer_map().layers[1]
    rows, sources, blocks = calls[0]
    assert (rows, sources) == (2, [0])
    assert blocks == [("input", number) for number in range(last.number)]
    assert len(calls) == 2 and calls[1][0] == 4


@pytest.mark.parametrize("shape", ["sdxl"])
def test_several_positive_prompts_are_averaged(shape):
    """As the host averages what they denoise to; in one call or in two."""
    model = tiny_model(shape)
    objective, negative = corner(model), conditioning(model, seed=2)
    one, other = (conditioning(model, 2, seed=seed) for seed in (1, 3))
    alone = [slope(model, (prompt, negative), objective)[1] for prompt in (one, other)]
    expected = (alone[0].gradient + alone[1].gradient) / 2
    both = slope(model, (one + other, negative), objective)[1]
    assert_same_image(both.gradient, expected)
    with split_calls(model, rows=2):
        both = slope(model, (one + other, negative), objective)[1]
    assert_same_image(both.gradient, expected)
    assert torch.allclose(both.losses, (alone[0].losses + alone[1].losses) / 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dtype", "tolerance"), [("sd2", torch.bfloat16, 0.15), ("sdxl", torch.float16, 0.03)]
)
def test_half_precision(shape, dtype, tolerance):
    """Weights in half precision give the gradient of float32 up to their rounding, in float32."""
    model, exact = tiny_model(shape, dtype=dtype), tiny_model(shape, dtype=DOUBLE)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    found, expected = (slope(m, prompts, corner(m))[1].gradient for m in (model, exact))
    assert found.dtype == torch.float32
    assert float((found - expected).norm() / expected.norm()) < tolerance


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_asking_changes_nothing(shape):
    """A run in which a gradient is taken and not used gives the plain images to the bit."""
    model = tiny_model(shape)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    asker = Asker(objective=corner(model))
    plain = sample(model, *prompts, batch=2, **SIZE)
    assert torch.equal(sample(install(model, Just([asker])), *prompts, batch=2, **SIZE), plain)
    assert asker.slopes[0].gradient.abs().max() > 0


ENDS = [("sdxl", None, "")] + [
    ("sd15", error, when)
    for error in (RuntimeError("failed"), InterruptProcessingException())
    for when in ("forward", "backward")
]


@pytest.mark.parametrize(("shape", "error", "when"), ENDS)
def test_the_model_stays_as_it_is(shape, error, when):
    """Weights, their kind, modules, hooks and options are the same after a gradient, a failed one and a
    cancelled one, whether that happens on the way there or back; and the next run is as if without it."""
    model = tiny_model(shape)
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    expected = slope(model, prompts, corner(model))[1]
    weights = {name: (p, p.clone(), p.is_inference()) for name, p in model.model.named_parameters()}
    before = inventory(model)
    passes = 0

    def fail(args):
        nonlocal passes
        passes += 1
        if error is not None and passes == (1 if when == "forward" else 2):
            raise error

    class Failing:
        order = "edit"

        def wants(self, site):
            return site.layer.ordinal == 1 and site.kind == "self"

        def __call__(self, site, qkv, attend):
            fail(None)
            return attend(qkv)

    raised = None
    try:
        slope(model, prompts, corner(model), controlled=Failing())
    except (RuntimeError, InterruptProcessingException) as exception:
        raised = exception
    assert passes == (1 if when == "forward" and error else 2)
    assert raised is error  # the fault is another's, and not that of gradients
    assert inventory(model) == before
    for name, parameter in model.model.named_parameters():
        same, values, kind = weights[name]
        assert parameter is same and torch.equal(parameter, values) and parameter.is_inference() == kind
        assert not parameter.requires_grad and parameter.grad is None
    again = slope(model, prompts, corner(model))[1]
    assert torch.equal(again.gradient, expected.gradient)


def test_a_model_without_backward_is_refused():
    """The error names the input and says what works."""
    model = tiny_model("sd15")

    class NoBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

    patched = model.clone()
    patched.set_model_input_block_patch(lambda h, options: NoBackward.apply(h))
    prompts = conditioning(model, 2, seed=1), conditioning(model, seed=2)
    with pytest.raises(ValueError, match=r"model: guidance needs gradients.*bfloat16"):
        slope(patched, prompts, corner(model))


def test_weights_in_a_buffer_that_is_used_again():
    """As under low memory, where the next layer's weights come into the same place."""
    weights = torch.randn(2, 4, 4, generator=torch.manual_seed(1))
    x = torch.randn(3, 4, requires_grad=True)

    def network(private):
        buffer, h = torch.empty(4, 4), x
        with PrivateWeights() if private else torch.enable_grad():
            for weight in weights:
                buffer.data.copy_(weight)
                h = torch.nn.functional.linear(h, buffer).sin()
        return torch.autograd.grad(h.sum(), x)[0]

    h = x
    for weight in weights:
        h = (h @ weight.T).sin()
    (expected,) = torch.autograd.grad(h.sum(), x)
    assert torch.allclose(network(private=True), expected)
    assert not torch.allclose(network(private=False), expected)
