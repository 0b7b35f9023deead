"""Proxies among CLIP's words, ranked as the authors do: here once more by the host's own encoding."""

import pytest
import torch
from attention_control.nodes.host.text import proxy_words
from attention_control.nodes.host.text.proxy_words import near_words
from safetensors.torch import save_file

from .tiny import tiny_clip

VOCABULARY = ("dog", "cat", "owl", "basket", "hedgehog", "stairs", "moon", "cats", "red")


def few_words(monkeypatch, clip, name="l"):
    """Let the vocabulary be small, so that it can be ranked one by one."""
    tokenizer = getattr(clip.tokenizer, f"clip_{name}")
    ids = {tokenizer.tokenizer(word)["input_ids"][1]: f"{word}</w>" for word in VOCABULARY}
    more = {320: "a</w>", 267: ",</w>", 1: "dog", 30000: "x1</w>", 20000: "\u00e4u</w>"}
    monkeypatch.setattr(tokenizer, "inv_vocab", {**ids, **more})


def pooled(clip, text):
    """What the encoder makes of a text, by the host's way of encoding."""
    with torch.inference_mode():
        return clip.encode_from_tokens(clip.tokenize(text), return_pooled="unprojected")[1][0]


def naive(clip, word, prompt, count, chosen):
    """One text at a time."""
    found = [other for other in VOCABULARY if other != word]
    for written, left in (("a photo of a {}".format, chosen), (prompt, count)):
        target = pooled(clip, written(word)).double()
        cosines = {
            other: float(torch.cosine_similarity(pooled(clip, written(other)).double(), target, dim=0))
            for other in found
        }
        found = sorted(found, key=lambda other: -cosines[other])[:left]
    return [(other, cosines[other]) for other in found]


@pytest.mark.parametrize("kind", ["sd15", "sd2"])
@pytest.mark.parametrize("word", ["cat", "grizzly bear"])
def test_words_are_ranked_as_the_authors_do(monkeypatch, kind, word):
    """First all in a short text, then the best in the prompt; letters only, longer than one, not the word."""
    clip = tiny_clip(kind)
    few_words(monkeypatch, clip, "l" if kind == "sd15" else "h")
    monkeypatch.setattr(proxy_words, "CHOSEN", 5)
    monkeypatch.setattr(proxy_words, "ROWS", 2)
    prompt = "a red {} on the stairs".format
    found = near_words(clip, word, prompt, 3)
    expected = naive(clip, word, prompt, 3, 5)
    assert [one.word for one in found] == [other for other, _ in expected]
    assert [one.likeness for one in found] == pytest.approx([cosine for _, cosine in expected], abs=1e-5)


def test_of_two_encoders_the_first_counts(monkeypatch):
    """CLIP-L, as in the authors' model."""
    clip = tiny_clip("sdxl")
    few_words(monkeypatch, clip)
    found = near_words(clip, "cat", "a {}".format, 50)
    assert {one.word for one in found} == set(VOCABULARY) - {"cat"}
    likeness = [one.likeness for one in found]
    assert likeness == sorted(likeness, reverse=True)


def test_the_whole_vocabulary_is_asked():
    """Tens of thousands of words, each one token."""
    encoder = proxy_words._Encoder.of(tiny_clip("sd15"))
    assert len(encoder.vocabulary) > 20000
    assert {"cat", "basket", "of"} < encoder.vocabulary.keys()
    assert all(word.isalpha() and word.isascii() and len(word) > 1 for word in encoder.vocabulary)
    for word in ("cat", "basket", "giraffe"):
        assert encoder._tokens(word)[0][1] == encoder.vocabulary[word]


def test_a_word_behind_the_first_chunk_is_ranked_there(monkeypatch):
    """As in a prompt that is no longer than what the encoder reads with it."""
    clip = tiny_clip("sd15")
    few_words(monkeypatch, clip)
    found = near_words(clip, "cat", ("very " * 75 + "big {}").format, 8)
    assert found == near_words(clip, "cat", "big {}".format, 8)


def test_what_a_prompt_is_encoded_to_stays_the_same(monkeypatch):
    """Also where the host has another layer chosen."""
    clip = tiny_clip("sd15").clone()
    few_words(monkeypatch, clip)
    plain = near_words(clip, "cat", "a {}".format, 8)
    clip.clip_layer(-2)
    before = clip.encode_from_tokens(clip.tokenize("a cat"), return_pooled=True)
    assert near_words(clip, "cat", "a {}".format, 8) == plain
    after = clip.encode_from_tokens(clip.tokenize("a cat"), return_pooled=True)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", ["flux", "mochi"])
def test_other_encoders_are_an_error(kind):
    """That says to write the words."""
    with pytest.raises(ValueError, match="Write them yourself"):
        near_words(tiny_clip(kind), "cat", "a {}".format, 2)


def test_embeddings_beside_the_word_are_an_error(monkeypatch, tmp_path):
    """Before all the words are ranked; one in another chunk of the prompt is none of its context."""
    clip = tiny_clip("sd15")
    few_words(monkeypatch, clip)
    save_file({"emb_params": torch.randn(2, 48)}, tmp_path / "hands.safetensors")
    clip.tokenizer.clip_l.embedding_directory = str(tmp_path)
    with monkeypatch.context() as unranked, pytest.raises(ValueError, match="none can be found for a prompt"):
        unranked.setattr(proxy_words, "_last", None)
        near_words(clip, "cat", "a {}, embedding:hands".format, 2)
    behind = ("a {}" + " very" * 75 + ", embedding:hands").format
    assert len(near_words(clip, "cat", behind, 2)) == 2
