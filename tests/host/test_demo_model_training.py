"""Training computes what the host computes: same text features, same attention, gradients everywhere."""

import pytest
import torch
from attention_control.demo_model.training.attention import CrossAttention, shorten
from attention_control.demo_model.training.optimizers import orthogonalise
from attention_control.demo_model.training.unet import Trained, denoising_loss

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
    assert torch.allclose(ours, host_text(trained, CAPTIONS), atol=2e-5)
    assert ours.shape == (4, 77, 96)


@pytest.mark.parametrize("side", [8, 16])
def test_short_keys_equal_all_77(trained, side):
    """One zero key with a logarithmic bias stands exactly for all the padding keys."""
    torch.manual_seed(1)
    latents, t = torch.randn(4, 4, side, side), torch.tensor([10, 300, 600, 900])
    with torch.no_grad():
        context, lengths = trained.text.encode_batch(CAPTIONS)
        keys, bias = shorten(context, lengths, {side * side, side * side // 4})
        full = trained.unet(latents, t, context=context)
        for keep_maps in (False, True):
            options = {"optimized_attention_override": CrossAttention(bias, keep_maps)}
            short = trained.unet(latents, t, context=keys, transformer_options=options)
            assert keys.shape[1] < 25
            assert torch.allclose(short, full, atol=1e-4)


def test_every_trained_weight_gets_a_gradient(trained):
    """Nothing that is meant to learn is cut off from the loss."""
    import numpy as np

    latents, cover = torch.randn(4, 4, 8, 8), torch.rand(4, 1, 8, 8)
    loss = denoising_loss(trained, latents, cover, CAPTIONS, np.random.default_rng(0))
    loss.backward()
    silent = [
        n for n, p in trained.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert silent == []


def test_muon_updates_are_nearly_orthogonal():
    """Newton-Schulz brings all singular values close to one, for wide and tall matrices."""
    for shape in ((3, 16, 40), (3, 40, 16)):
        values = torch.linalg.svdvals(
            orthogonalise(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
        )
        assert values.min() > 0.5 and values.max() < 1.4
