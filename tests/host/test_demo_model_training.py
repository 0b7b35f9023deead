"""Training computes what the host computes: same text features, same attention, gradients everywhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_control.demo_model.architecture import CHANNELS
from attention_control.demo_model.training.attention import CrossAttention, shorten
from attention_control.demo_model.training.binding import binding_loss, noun_masks
from attention_control.demo_model.training.optimizers import orthogonalise
from attention_control.demo_model.training.unet import Batch, Trained, denoising_loss, weighed_error
from attention_control.demo_model.world import sample_scene

from .tiny.precision import nearly

CAPTIONS = [
    "a red cat",
    "3 ginger and 2 gray kittens on the stairs, clay style",
    "",
    "two hedgehogs in a basket, flat",
]


@pytest.fixture(scope="module")
def trained():
    """The real networks, freshly initialised, with the output layers made non-zero."""
    torch.manual_seed(0)
    made = Trained()
    for name, parameter in made.unet.named_parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(len(name)))
    return made


def host_text(trained, captions):
    """(B, 77, width) by the host's own tokenizer and forward pass."""
    from attention_control.nodes.host.demo_model import SD1Tokenizer, build_text_encoder

    encoder = build_text_encoder()
    weights = dict(trained._transformer[0].state_dict())
    table = "text_model.embeddings.token_embedding.weight"
    weights[table] = trained.text.store_rows(trained.text.embedding.detach(), weights[table].clone())
    encoder.clip_l.transformer.load_state_dict(weights, strict=True)
    rows = [encoder.encode_token_weights(SD1Tokenizer().tokenize_with_weights(text))[0] for text in captions]
    return torch.cat(rows)


def test_text_features_equal_the_hosts(trained):
    """Our gradient-keeping forward and word table give the host's features, zeros after the end included."""
    ours = trained.text(CAPTIONS).detach()
    assert nearly(ours, host_text(trained, CAPTIONS), atol=2e-5)
    assert ours.shape == (4, 77, 96)


@pytest.mark.parametrize("side", [8, 16])
def test_short_keys_equal_all_77(trained, side):
    """One zero key with a logarithmic bias stands exactly for all the padding keys."""
    torch.manual_seed(1)
    latents, t = torch.randn(4, CHANNELS, side, side), torch.tensor([10, 300, 600, 900])
    with torch.no_grad():
        context, lengths = trained.text.encode_batch(CAPTIONS)
        keys, bias = shorten(context, lengths, {side * side, side * side // 4})
        full = trained.unet(latents, t, context=context)
        for keep_maps in (False, True):
            options = {"optimized_attention_override": CrossAttention(bias, keep_maps)}
            short = trained.unet(latents, t, context=keys, transformer_options=options)
            assert keys.shape[1] < 25
            assert nearly(short, full, atol=1e-4)


@pytest.fixture(scope="module")
def scenes():
    """Four scenes of one cat each, with captions, and a mask in one corner."""
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng, 64, 64, 1) for _ in CAPTIONS]
    coverage = torch.zeros(4, 5, 8, 8)
    coverage[:, 0, :4, :4] = 1
    cats = [replace(s, subjects=(replace(s.subjects[0], noun="cat"),)) for s in scenes]
    return [*CAPTIONS[:3], "two white cats in a basket"], cats, coverage


@pytest.mark.parametrize("keys", [9, 5], ids=["self", "cross"])
def test_attention_is_trained_in_float32_on_a_processor(keys):
    """bfloat16 in the other layers changes queries, keys and values, but not what is made of them."""
    q, k = torch.randn(2, 9, 8).bfloat16(), torch.randn(2, keys, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = CrossAttention(torch.zeros(2, 5), False)(None, q, k, k, 1)
    exact = (q.float() @ k.float().mT * 8**-0.5).softmax(-1) @ k.float()
    torch.testing.assert_close(out, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("with_nouns", [False, True])
def test_every_trained_weight_gets_a_gradient(trained, scenes, with_nouns):
    """Nothing that is meant to learn is cut off from the loss."""
    words, (captions, _, coverage) = trained.text.words, scenes
    nouns = noun_masks(words, *scenes) if with_nouns else None
    batch = Batch(torch.randn(4, CHANNELS, 8, 8), coverage, words.batch(captions), nouns)
    trained.zero_grad()
    loss, bound = denoising_loss(trained, batch)
    (loss + 0.1 * bound).backward()
    assert (bound > 0) == with_nouns
    silent = [
        n for n, p in trained.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert silent == []


@pytest.mark.parametrize(("seen", "tilt"), [(0.0, 0.5), (0.5, 3 / 4), (1.0, 5 / 6)])
def test_subjects_under_noise_are_guessed_as_often_as_they_are_there(seen, tilt):
    """Of two pictures, one with a subject in a cell: the best answer for both is their mean where noise hides
    which it is; where it can be seen the picture with the subject counts five times, half-way three times."""
    velocity, coverage = torch.zeros(2, CHANNELS, 1, 1), torch.zeros(2, 5, 1, 1)
    velocity[1], coverage[1, 0] = 1.0, 1.0
    answer = torch.tensor(tilt, requires_grad=True)
    weighed_error(answer.expand(2, CHANNELS, 1, 1), velocity, coverage, torch.full((2,), seen)).backward()
    assert answer.grad.item() == pytest.approx(0, abs=1e-6)


def test_nouns_are_found_at_their_tokens(trained, scenes):
    """Position and subject of each noun, plurals too; a noun's mask is the union of its subjects."""
    words = trained.text.words
    assert words.nouns("3 ginger and 2 gray kittens on the stairs") == [(6, "cat")]
    assert words.nouns("two hedgehogs and a dog") == [(3, "hedgehog"), (6, "dog")]  # hedgehogs: two tokens
    assert words.encode("two hedgehogs and a dog")[6] == words.ids["dog"][0]
    rows, positions, masks = noun_masks(words, *scenes)
    assert rows.tolist() == [0, 1, 3] and positions.tolist() == [3, 6, 3]
    assert torch.equal(masks[0], scenes[2][0, 0])


def test_binding_loss_is_zero_inside_and_large_outside(scenes):
    """A map wholly inside its mask costs nothing, an even one costs the logarithm of the mask's share."""
    rows, positions, mask = torch.tensor([0]), torch.tensor([2]), scenes[2][:1, 0]
    inside = torch.zeros(1, 64, 5)
    inside[0, :, 2] = mask.flatten() * 0.3
    assert binding_loss([inside], rows, positions, mask).item() == pytest.approx(0, abs=1e-6)
    even = torch.full((1, 16, 5), 0.2)  # a map of 4 x 4 cells: the mask is shrunk to it
    assert binding_loss([even], rows, positions, mask).item() == pytest.approx(np.log(4), abs=1e-5)


def test_muon_updates_are_nearly_orthogonal():
    """Newton-Schulz brings all singular values close to one, for wide and tall matrices."""
    for shape in ((3, 16, 40), (3, 40, 16)):
        values = torch.linalg.svdvals(
            orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
        )
        assert values.min() > 0.5 and values.max() < 1.4
