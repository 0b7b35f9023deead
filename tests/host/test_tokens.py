"""Words of a prompt, against the host's own tokenizers and the ids they give."""

import re
from types import SimpleNamespace

import pytest
import torch
from attention_control.nodes.host.text.clip_tokens import prompt_tokens
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from .tiny import SHAPES, tiny_clip

START, END = 49406, 49407
PROMPTS = [
    "a photo of a cat wearing sunglasses",
    "a (fox:1.2) and ((a hedgehog):0.7) in a [forest], (very) (red (big:1.5) house:0.5)",
    "an owl \\(night\\), smile :\\), (a \\(b\\) c:1.3)",
    "1girl, long_hair, t-shirt, 4k, f/1.8, 35mm, 2024, don't, the fox's den",
    "unicorns, hippopotamuses & axolotls: supercalifragilistic",
    "Caf\u00e9 in \u0130stanbul, \u03a3\u0391\u03a3, \u0928\u092e\u0938\u094d\u0924\u0947,"
    " na\u00efve \ufb01ne",
    "\u732b\u3068\u72ac, \U0001f98a\U0001f98a, a cat\U0001f98a",
    "line one\nline two\t(tab:1.1)\r\n  spaces   ",
    "(unbalanced and :1.2 (",
    "embedding: a cat<|endoftext|> dog",
    "",
    " , ",
    "the weird sisters " * 60,
    "a, (cat:1.1), " * 40,
]


@pytest.fixture(scope="module", params=SHAPES)
def clip(request):
    """A text encoder of each family, with the host's real tokenizer."""
    return tiny_clip(request.param)


@pytest.fixture(scope="module")
def sd1():
    return tiny_clip("sd15")


def ids(clip, prompt):
    """The ids along the key axis, chunk after chunk, by the first encoder."""
    chunks = next(iter(clip.tokenize(prompt).values()))
    return [value for chunk in chunks for value, _weight in chunk]


def decoded(clip, values):
    """The ids as text without spaces, by the tokenizer's own decoder."""
    tokenizer = getattr(clip.tokenizer, "clip_l", None) or clip.tokenizer.clip_h
    return "".join(tokenizer.tokenizer.decode(values).split())


def squeezed(text):
    return "".join(character.lower() for character in text if not character.isspace())


def check(clip, prompt):
    """Every word is what its ids decode to, and no token of the text is missing, doubled or out of order."""
    found, real = prompt_tokens(clip, prompt), ids(clip, prompt)
    for word in found.words:
        assert decoded(clip, [real[p] for p in word.positions]) == squeezed(word.text), word
    positions = [p for word in found.words for p in word.positions]
    assert positions == sorted(set(positions))
    pad = 0 if 0 in real[-2:] else END
    rest = {real[p] for p in set(range(len(real))) - set(positions)}
    assert rest <= {START, END, pad}
    return found


@pytest.mark.parametrize("prompt", PROMPTS)
def test_words_are_what_their_ids_decode_to(clip, prompt):
    """The ids at a word's positions decode to the word, for weights, escapes, scripts and long prompts."""
    check(clip, prompt)


WORDS = ["cat", "Hedgehog", "axolotl", "(fox:1.2)", "(red", "house)", "a", ",", "1girl", "t-shirt", "\\(x\\)"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60), st.sampled_from([" ", "", "\n", ", "]))
@example(["cat"] * 76, " ")
@example(["(fox:1.2)"] * 80, " ")
def test_random_prompts(sd1, words, between):
    """The same for prompts put together at random, some of several chunks."""
    check(sd1, between.join(words))


@pytest.mark.parametrize("weight", ["{}", "({})", "({}:1.4)", "(({}))", "(so (big {}:0.5):1.2)"])
def test_phrase_is_where_its_ids_are(clip, weight):
    """A phrase is found exactly where its own ids stand in the prompt's ids, weights or not."""
    prompt = f"a grassy hill and {weight.format('a tiny hedgehog')}, with axolotls"
    real = ids(clip, prompt)
    for phrase in ("tiny hedgehog", "axolotls", "Grassy Hill"):
        own = [i for i in ids(clip, phrase) if i not in (0, START, END)]
        (at,) = [n for n in range(len(real)) if real[n : n + len(own)] == own]
        assert prompt_tokens(clip, prompt).find(phrase).positions == tuple(range(at, at + len(own)))


def test_several_chunks(clip):
    """Behind a first chunk the position counts on by 77, and each chunk has its own start token."""
    prompt = "the weird sisters " * 30 + "hedgehog"
    found = prompt_tokens(clip, prompt)
    chunks = next(iter(clip.tokenize(prompt).values()))
    assert len(chunks) == 2
    hedgehog = [value for value, _ in clip.tokenize("hedgehog").popitem()[1][0][1:3]]
    assert found.find("hedgehog").positions == tuple(
        77 + n for n in range(1, 77) if chunks[1][n][0] in hedgehog[:1]
    )
    assert len(found.find("weird").positions) == 30
    assert not {0, 76, 77, 153} & {p for word in found.words for p in word.positions}


def test_short_segment_moves_whole_to_the_next_chunk(sd1):
    """A segment of a few tokens that does not fit any more begins the next chunk; its words go with it."""
    prompt = "cat " * 73 + "(a tiny fox:1.2)"
    assert [len(c) for c in sd1.tokenize(prompt)["l"]] == [77, 77]
    found = prompt_tokens(sd1, prompt)
    assert found.find("fox").positions == (77 + 3,)
    assert found.find("a tiny fox").positions == (78, 79, 80)


def test_repeated_word_in_order(sd1):
    """`#n` counts along the prompt."""
    found = prompt_tokens(sd1, "a red cat, a blue cat and (a green cat:1.3)")
    assert found.find("cat").positions == (3, 7, 11)
    assert [found.find(f"cat#{n}").positions for n in (1, 2, 3)] == [(3,), (7,), (11,)]


def test_content_words_of_the_prompts_of_the_world(sd1):
    """Of a caption the things, colours and places are left."""
    found = prompt_tokens(sd1, "a red cat and two (blue dogs:1.2) on the beach, in front of a house")
    assert [word.text for word in found.content_words()] == [
        "red",
        "cat",
        "blue",
        "dogs",
        "beach",
        "front",
        "house",
    ]


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory):
    """A folder with an embedding of three vectors for the tiny SD1, one of three and five for the tiny SDXL's
    two encoders, one of two for both, and one of another model."""
    folder = tmp_path_factory.mktemp("embeddings")
    save_file({"emb_params": torch.randn(3, 48)}, folder / "bad-hands-5.safetensors")
    save_file({"clip_l": torch.randn(2, 48), "clip_g": torch.randn(2, 32)}, folder / "both.safetensors")
    save_file({"clip_l": torch.randn(3, 48), "clip_g": torch.randn(5, 32)}, folder / "unequal.safetensors")
    save_file({"emb_params": torch.randn(2, 16)}, folder / "foreign.safetensors")
    return str(folder)


def with_embeddings(kind, folder):
    clip = tiny_clip(kind)
    for encoder in ("clip_l", "clip_g"):
        if hasattr(clip.tokenizer, encoder):
            getattr(clip.tokenizer, encoder).embedding_directory = folder
    return clip


def test_embedding_is_a_word(embeddings):
    """An embedding is one word with all its vectors, by its name; what follows stands behind them."""
    clip = with_embeddings("sd15", embeddings)
    found = prompt_tokens(clip, "a cat, embedding:bad-hands-5, (embedding:bad-hands-5:0.8) dog")
    assert " ".join(word.text for word in found.words) == "a cat , bad-hands-5 , bad-hands-5 dog"
    vectors = [n for n, value in enumerate(ids(clip, found.prompt)) if isinstance(value, torch.Tensor)]
    assert vectors == [4, 5, 6, 8, 9, 10]
    assert list(found.find("bad-hands-5").positions) == vectors
    assert found.find("bad-hands-5#2").positions == (8, 9, 10)
    assert found.find("dog").positions == (11,)
    assert "bad-hands-5" in [word.text for word in found.content_words()]


def test_missing_embedding_is_left_out(embeddings):
    """A name without a file has no tokens: neither it nor the words after it are misplaced."""
    clip = with_embeddings("sd15", embeddings)
    found = prompt_tokens(clip, "a embedding:dog_mm embedding:bad-hands-5 embedding:nope 1Dog")
    assert [(w.text, w.positions) for w in found.words] == [
        ("a", (1,)),
        ("bad-hands-5", (2, 3, 4)),
        ("1Dog", (5, 6)),
    ]


def test_embedding_of_both_encoders(embeddings):
    """In SDXL an embedding that has as many vectors for both encoders is a word as well."""
    clip = with_embeddings("sdxl", embeddings)
    found = prompt_tokens(clip, "a embedding:both cat")
    assert [(w.text, w.positions) for w in found.words] == [("a", (1,)), ("both", (2, 3)), ("cat", (4,))]


def test_embedding_of_unequal_length_is_an_error(embeddings):
    """Where the two encoders of SDXL put a word at different places there is no position to give."""
    with pytest.raises(ValueError, match=r"^clip: its text encoders put the words .* different places"):
        prompt_tokens(with_embeddings("sdxl", embeddings), "a embedding:unequal cat")


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_embedding_of_another_model_is_an_error(embeddings, kind):
    """The host drops vectors of another width and moves the rest up, so this is refused."""
    with pytest.raises(ValueError, match=r"^prompt: .* width 16, .* Take it out of the prompt"):
        prompt_tokens(with_embeddings(kind, embeddings), "a embedding:foreign cat")


def test_changing_a_word_changes_its_position_first(sd1):
    """What the encoder makes of two prompts differs first at the position of the word that differs."""
    prompt = "a grassy hill and (a tiny {}:1.2) with a house"
    with torch.inference_mode():
        one, other = (sd1.encode_from_tokens(sd1.tokenize(prompt.format(w))) for w in ("fox", "owl"))
    changed = (one != other).any(-1)[0].nonzero().flatten().tolist()
    assert prompt_tokens(sd1, prompt.format("fox")).find("fox").positions == (changed[0],)


def test_other_encoders_are_an_error(sd1):
    """One whose streams nobody knows is refused by name."""
    other = SimpleNamespace(tokenize=lambda text, **_: {"gemma3_12b": [[(1, 1.0, 1)]]})
    with pytest.raises(ValueError, match=r"^clip: .* SD1.5, SD2, SDXL, Flux, .* \(gemma3_12b\) is another"):
        prompt_tokens(other, "a cat")


def test_no_clip_is_an_error():
    """A checkpoint without text encoder is an error that names the input."""
    with pytest.raises(ValueError, match=re.escape("clip: none arrived")):
        prompt_tokens(None, "a cat")
