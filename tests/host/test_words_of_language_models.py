"""Words of prompts that language models read: their places on the key axis, by the host's own tokenizers."""

import unicodedata
from copy import copy
from functools import cache
from types import SimpleNamespace

import comfy.sd
import comfy.text_encoders.anima
import comfy.text_encoders.aura_t5
import comfy.text_encoders.flux
import comfy.text_encoders.hidream
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.krea2
import comfy.text_encoders.lumina2
import comfy.text_encoders.pixart_t5
import comfy.text_encoders.qwen_image
import comfy.text_encoders.sd3_clip
import comfy.text_encoders.wan
import comfy.text_encoders.z_image
import pytest
import torch
from attention_control.attention_patches.layout.subject_tokens import text_ends
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import align
from attention_control.nodes.host.text.clip_tokens import prompt_tokens
from attention_control.nodes.host.text.encoded_prompt import encoded_prompt

from .tiny import tiny_clip
from .tiny.tokenizers import mistral, trained


def from_a_checkpoint(tokenizer):
    return lambda: tokenizer(tokenizer_data={"spiece_model": trained()})


TOKENIZERS = {
    "flux": (comfy.text_encoders.flux.FluxTokenizer, "t5xxl"),
    "chroma": (comfy.text_encoders.pixart_t5.PixArtTokenizer, "t5xxl"),
    "anima": (comfy.text_encoders.anima.AnimaTokenizer, "t5xxl"),
    "sd3": (comfy.text_encoders.sd3_clip.SD3Tokenizer, "t5xxl"),
    "z-image": (comfy.text_encoders.z_image.ZImageTokenizer, "qwen3_4b"),
    "klein": (comfy.text_encoders.flux.KleinTokenizer, "qwen3_4b"),
    "qwen-image": (comfy.text_encoders.qwen_image.QwenImageTokenizer, "qwen25_7b"),
    "krea2": (comfy.text_encoders.krea2.Krea2Tokenizer, "qwen3vl_4b"),
    "hunyuan-image": (comfy.text_encoders.hunyuan_image.HunyuanImageTokenizer, "qwen25_7b"),
    "aura-flow": (comfy.text_encoders.aura_t5.AuraT5Tokenizer, "pile_t5xl"),
    "hidream": (comfy.text_encoders.hidream.HiDreamTokenizer, "t5xxl"),
    "wan": (from_a_checkpoint(comfy.text_encoders.wan.WanT5Tokenizer), "umt5xxl"),
    "lumina2": (from_a_checkpoint(comfy.text_encoders.lumina2.LuminaTokenizer), "gemma2_2b"),
    "flux2": (mistral, "mistral3_24b"),
}
CUT = {
    "qwen-image": 34,
    "krea2": 34,
    "hunyuan-image": 34,
}  # tokens of the template in front, which the encoder leaves out
LENGTHS = {
    "flux": 256,
    "klein": 512,
    "sd3": 77 + 77,
    "anima": None,
    "aura-flow": 256,
    "hidream": 128 + 128 + 128,
    "wan": 512,
    "flux2": 512,
}  # as the model gets the text
PROMPT = "two blue-ish birds, (a red fox:1.2) at night, café, a red hat and the image of a cat"
PHRASES = ("blue-ish birds", "birds", "red fox", "fox", "at night", "café", "red hat", "image", "cat")


SD3_ENCODERS = ("clip_l", "clip_g", "t5xxl")


@cache
def tokenizing(kind):
    """The host's CLIP with a tokenizer and no encoder."""
    clip = comfy.sd.CLIP(no_init=True)
    clip.tokenizer, clip.tokenizer_options = TOKENIZERS[kind][0](), {}
    clip.cond_stage_model = SimpleNamespace(**dict.fromkeys(SD3_ENCODERS, True))
    return clip


@pytest.fixture(params=TOKENIZERS)
def kind(request):
    return request.param


@pytest.fixture
def clip(kind):
    return tokenizing(kind)


def decoded(clip, kind, positions):
    """What the tokens at these places say, by the tokenizer itself."""
    stream = TOKENIZERS[kind][1]
    (chunk,) = clip.tokenize(PROMPT)[stream]
    behind = {"sd3": 77, "flux2": 512 - len(chunk)}.get(kind, -CUT.get(kind, 0))
    ids = [chunk[p - behind][0] for p in positions if 0 <= p - behind < len(chunk)]
    own = getattr(clip.tokenizer, stream, None) or getattr(clip.tokenizer, f"clip_{stream}")
    return getattr(own.tokenizer, "tokenizer", own.tokenizer).decode(ids)


def test_a_phrase_is_where_its_tokens_are(clip, kind):
    """The tokens spell it, with a neighbour at most that a tokenizer has joined to it."""
    tokens = prompt_tokens(clip, PROMPT)
    for phrase in PHRASES:
        spelled = decoded(clip, kind, tokens.find(phrase).positions)
        assert phrase.replace(" ", "") in spelled.replace(" ", "")
        assert len(spelled.strip()) <= len(phrase) + 2, spelled


def test_a_repeated_word_has_all_its_places(clip, kind):
    """And the second has its own."""
    tokens = prompt_tokens(clip, PROMPT)
    every, second = tokens.find("red").positions, tokens.find("red#2").positions
    assert set(second) < set(every) and decoded(clip, kind, second).strip() == "red"


def test_no_two_words_share_a_place(clip):
    """Each position belongs to one word."""
    places = [p for word in prompt_tokens(clip, PROMPT).words for p in word.positions]
    assert len(places) == len(set(places))


def test_the_template_is_no_text(clip):
    """Its words are not found, and the length of what the model gets is known."""
    with pytest.raises(ValueError, match="is not in the prompt"):
        prompt_tokens(clip, "a cat").find("assistant")


def test_the_length_is_that_of_the_encoded_text(clip, kind):
    """Padding included, the template in front left out where the encoder does."""
    stream = TOKENIZERS[kind][1]
    expected = LENGTHS.get(kind, len(clip.tokenize(PROMPT)[stream][0]) - CUT.get(kind, 0))
    assert prompt_tokens(clip, PROMPT).length == expected


def test_a_line_before_the_text_stays_in_front(clip, kind):
    """Qwen joins it to the template's own, and the host then cuts off less; the words are where they were
    found before."""
    word = prompt_tokens(clip, "\nfox").find("fox")
    (chunk,) = clip.tokenize("\nfox")[TOKENIZERS[kind][1]]
    if kind in CUT:
        assert prompt_tokens(clip, "\nfox").length == len(chunk) - CUT[kind] + 3
    assert len(word.positions) >= 1


def test_hidream_has_a_word_three_times():
    """Among T5's tokens, and twice among Llama's, where these spell it: some versions of `transformers` make
    other tokens of Llama's vocabulary than it was made with, which know no spaces."""
    clip = tokenizing("hidream")
    (llama,) = clip.tokenize("a red fox")["llama"]
    places = prompt_tokens(clip, "a red fox").find("red fox").positions
    second = [place - 128 for place in places if 128 <= place < 256]
    assert [place + 256 for place in second] == [place for place in places if place >= 256] and second
    assert "fox" in clip.tokenizer.llama.tokenizer.decode([llama[place][0] for place in second])


def test_lumina_is_told_what_to_do_before_the_prompt():
    """Words are found behind the host's mark, if it is there."""
    clip = tokenizing("lumina2")
    told = prompt_tokens(clip, "You draw a cat well. <Prompt Start> a red fox")
    assert [word.text for word in told.words] == ["a", "red", "fox"]
    assert told.find("fox").positions[-1] == told.length - 1


def test_sd3_has_a_word_twice():
    """Among CLIP's tokens and among T5's behind them; in a long prompt CLIP has several chunks."""
    clip = tokenizing("sd3")
    assert prompt_tokens(clip, "a cat").find("cat").positions == (2, 77 + 2)
    long = "a cat, " * 40
    assert min(p for p in prompt_tokens(clip, long).find("cat").positions if p >= 154) == 154 + 2


@pytest.mark.parametrize(
    ("loaded", "positions", "length"),
    [
        (("clip_l", "clip_g"), (2,), 77),
        (("clip_g",), (2,), 77),
        (("t5xxl",), (2,), 77),
        (("clip_l", "t5xxl"), (2, 77 + 2), 77 + 77),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else None,
)
def test_sd3_has_the_words_of_the_encoders_that_were_loaded(loaded, positions, length):
    """As the host's own text has them, whose tokenizer makes tokens for all three."""
    clip = copy(tokenizing("sd3"))
    clip.cond_stage_model = SimpleNamespace(**{name: name in loaded or None for name in SD3_ENCODERS})
    tokens = prompt_tokens(clip, "a cat")
    assert (tokens.find("cat").positions, tokens.length) == (positions, length)


def test_words_that_the_host_does_not_tell_are_an_error():
    """LongCat-Image's tokens come without the words that they are of."""
    longcat = pytest.importorskip("comfy.text_encoders.longcat_image", reason="in no older host")
    clip = comfy.sd.CLIP(no_init=True)
    clip.tokenizer, clip.tokenizer_options = longcat.LongCatImageTokenizer(), {}
    with pytest.raises(ValueError, match=r"^clip: the host does not tell the words .* LongCat-Image"):
        prompt_tokens(clip, "a cat")


def test_what_the_encoder_makes_of_two_prompts_differs_where_the_word_stands():
    """Z-Image's, with random weights: causal attention changes nothing in front of it."""
    clip = tiny_clip("z-image")
    with torch.inference_mode():
        texts = [
            clip.encode_from_tokens(clip.tokenize(f"a tiny {word} on a hill")) for word in ("fox", "owl")
        ]
    changed = (texts[0] != texts[1]).any(-1)[0].nonzero().flatten().tolist()
    tokens = prompt_tokens(clip, "a tiny fox on a hill")
    assert tokens.find("fox").positions[0] == changed[0]
    assert tokens.length == texts[0].shape[1]


@pytest.mark.parametrize("kind", ["sd15", "z-image", "qwen-image"])
@pytest.mark.parametrize(
    ("prompt", "phrases"),
    [
        ("一只红色的猫和一只蓝色的狗，在草地上", ("猫", "狗", "红色的猫", "草")),
        ("赤い猫と青い犬が草の上にいる", ("猫", "犬", "青い犬")),
        ("แมวสีแดงและสุนัข", ("แมว", "สุนัข")),
        ("लाल बिल्ली और नीला कुत्ता", ("बिल्ली", "कुत्ता")),
        ("초원 위의 빨간 고양이와 파란 개", ("고양이와", "개")),
    ],
    ids=["zh", "ja", "th", "hi", "ko"],
)
def test_words_of_other_scripts_are_found(kind, prompt, phrases):
    """Also where no spaces stand between them; no mark of a vowel is a word, no two words share a token."""
    tokens = prompt_tokens(tiny_clip("sd15") if kind == "sd15" else tokenizing(kind), prompt)
    taken = [position for word in tokens.words for position in word.positions]
    assert len(taken) == len(set(taken))
    assert not any(unicodedata.category(word.text[0])[0] == "M" for word in tokens.words)
    whole = {position for word in tokens.words for position in word.positions}
    for phrase in phrases:
        assert set(tokens.find(phrase).positions) < whole


def test_a_space_is_no_end(kind):
    """T5 has a token of its own before `a`, Qwen before digits and at new lines; a text ends once."""
    for prompt in ("a red cat and a gray dog", "red cat and 2 dogs", "red cat\nblue dog", "red cat "):
        ends = text_ends(prompt_tokens(tokenizing(kind), prompt))
        assert len(ends) == {"sd3": 2, "hidream": 3}.get(kind, 1)  # readings


def test_a_swap_takes_spaces_too():
    """On Anima, which reads T5's tokens."""
    clip = tokenizing("anima")
    source, edit = (encoded_prompt(clip, text, 64) for text in ("a red cat, on a mat", "a red dog, on a mat"))
    taken = align(source, edit, "swap").taken
    assert [taken[position].tokens for position in edit.values] == [(position,) for position in edit.values]
