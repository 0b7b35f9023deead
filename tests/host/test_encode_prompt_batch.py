"""EncodePromptBatch: one row per prompt, each as the host encodes it alone."""

from functools import cache

import comfy.hooks
import comfy.sd1_clip
import pytest
import torch
from attention_control.nodes.style.encode_prompt_batch_node import EncodePromptBatch
from comfy_extras.nodes_hooks import SetClipHooks
from nodes import CLIPTextEncode, ConditioningConcat

from .tiny import SHAPES, assert_same_image, conditioning, only_image, sample, tiny_clip, tiny_model
from .tiny.extras import tiny_lora

SHORT = ["a red cat", "a (blue:1.3) dog, [soft] light", "an owl \\(night\\)"]
LONG = "a unicorn under a tree " * 20  # two chunks
LONGER = "a hedgehog beside a very small house " * 24  # three chunks


def encode(clip, prompts, style=""):
    """The node's two outputs."""
    with torch.inference_mode():
        return EncodePromptBatch.execute(clip, "\n".join(prompts), style).args


def alone(clip, prompt):
    """The prompt by the host's own node: text (1, tokens, C) and further keys."""
    with torch.inference_mode():
        ((entry,),) = CLIPTextEncode().encode(clip, prompt)
    return entry


@cache
def encoder_of(kind):
    """A tiny text encoder that stays as it is."""
    return tiny_clip(kind)


@pytest.fixture(params=SHAPES)
def clip(request):
    """The encoder of each family."""
    return encoder_of(request.param)


def test_row_is_the_prompt_alone(clip):
    """Every row and pooled vector equals CLIPTextEncode of that line, bit for bit, weights included."""
    [[text, further]], count = encode(clip, SHORT)
    assert count == 3
    assert text.shape[:2] == (3, 77)
    for row, prompt in enumerate(SHORT):
        expected_text, expected = alone(clip, prompt)
        assert torch.equal(text[row], expected_text[0])
        assert torch.equal(further["pooled_output"][row], expected["pooled_output"][0])


def test_row_order_is_line_order(clip):
    """Turning the lines round turns the rows round."""
    [[text, _]], _ = encode(clip, SHORT)
    [[turned, _]], _ = encode(clip, SHORT[::-1])
    assert torch.equal(turned, text.flip(0))
    assert not torch.equal(text[0], text[1])


def test_shorter_prompts_get_empty_chunks(clip):
    """Beside longer prompts a row is the prompt alone, then encoded empty chunks; its pooled vector stays."""
    prompts = [SHORT[1], LONGER, LONG]
    [[text, further]], _ = encode(clip, prompts)
    assert text.shape[:2] == (3, 231)
    blank = [[alone(clip, "")[0], {}]]
    for row, prompt in enumerate(prompts):
        expected, extra = alone(clip, prompt)
        while expected.shape[1] < 231:
            (((expected, _),),) = ConditioningConcat().concat([[expected, {}]], blank)
        assert torch.equal(text[row], expected[0])
        assert torch.equal(further["pooled_output"][row], extra["pooled_output"][0])


def test_filling_equals_empty_chunks_of_tokens(clip):
    """The filled row is what the host makes of the prompt's tokens with the tokens of "" behind them."""
    [[text, _]], _ = encode(clip, [SHORT[1], LONG])
    tokens, blank = clip.tokenize(SHORT[1]), clip.tokenize("")
    with torch.inference_mode():
        expected = clip.encode_from_tokens({key: tokens[key] + blank[key] for key in tokens})
    torch.testing.assert_close(text[0], expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", ["sd15", "sdxl"])
def test_image_of_the_batch_is_the_image_of_its_prompt(shape):
    """With the rows of the node each image of a batch is the one that its own prompt draws."""
    model, clip = tiny_model(shape), encoder_of(shape)
    negative = conditioning(model, seed=5)
    rows, count = encode(clip, SHORT)
    batch = sample(model, rows, negative, batch=count)
    for image, prompt in enumerate(SHORT):
        single = sample(model, [alone(clip, prompt)], negative, batch=1, images=[image])
        assert_same_image(batch[image], single[0])
    assert (batch[0] - batch[1]).abs().mean() > 0.01 * batch.abs().mean()


@pytest.mark.parametrize("shape", ["sd2"])
def test_image_of_unequal_prompts_is_the_image_of_its_filled_prompt(shape):
    """A batch of one- and two-chunk prompts gives each image what its own row alone gives."""
    model, clip = tiny_model(shape), encoder_of(shape)
    negative = conditioning(model, seed=5)
    rows, count = encode(clip, [SHORT[0], LONG])
    batch = sample(model, rows, negative, batch=count)
    for image in range(count):
        single = sample(model, only_image(rows, image), negative, batch=1, images=[image])
        assert_same_image(batch[image], single[0])
    long_alone = sample(model, [alone(clip, LONG)], negative, batch=1, images=[1])
    assert_same_image(batch[1], long_alone[0])


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("", "a cat"),
        ("  ", "a cat"),
        ("flat art", "a cat, flat art"),
        (" ink, soft\n", "a cat, ink, soft"),
        ("a clay figure of {}, soft light", "a clay figure of a cat, soft light"),
        ("{} and {}", "a cat and a cat"),
    ],
)
def test_style_comes_after_the_prompt_or_at_the_braces(style, expected):
    """The style follows after a comma, or the prompt goes to its `{}`."""
    clip = encoder_of("sd15")
    [[text, _]], _ = encode(clip, ["a cat"], style)
    assert torch.equal(text, alone(clip, expected)[0])


def test_braces_in_a_prompt_stay():
    """A `{}` in the prompt is text, and is not filled a second time."""
    clip = encoder_of("sd15")
    [[text, _]], _ = encode(clip, ["a {} cat"], "clay {}")
    assert torch.equal(text, alone(clip, "clay a {} cat")[0])


def test_blank_lines_are_skipped():
    """Blank lines and spaces round a prompt make no row."""
    clip = encoder_of("sd15")
    [[text, _]], count = encode(clip, ["", "  a cat ", "\t", "a dog\r", ""])
    assert count == 2
    assert torch.equal(text, torch.cat([alone(clip, "a cat")[0], alone(clip, "a dog")[0]]))


@pytest.mark.parametrize("prompts", [[], [""], ["  ", "\t\r"]])
def test_no_prompt_is_an_error(prompts):
    """Nothing left after the blank lines is an error that names the input, style or not."""
    with pytest.raises(ValueError, match=r"^prompts: .*only blank lines.*one prompt per line"):
        encode(encoder_of("sd15"), prompts, "flat art")


def test_no_clip_is_an_error():
    """A checkpoint without text encoder is an error that names the input."""
    with pytest.raises(ValueError, match=r"^clip: none arrived"):
        encode(None, ["a cat"])


def test_clip_skip_is_kept():
    """The layer set on the CLIP is the one encoded."""
    clip = tiny_clip("sd15")
    clip.clip_layer(-2)
    [[text, _]], _ = encode(clip, SHORT)
    assert torch.equal(text[2], alone(clip, SHORT[2])[0][0])
    assert not torch.equal(text[2], alone(encoder_of("sd15"), SHORT[2])[0][0])


def test_clip_schedule_keeps_its_ranges(clip):
    """With a scheduled LoRA on the CLIP each range is one entry of its own, with its rows and the hooks."""
    model = clip.cond_stage_model
    hooks = comfy.hooks.create_hook_lora(tiny_lora(model, "text_encoders.", ("q_proj", "v_proj")), 1.0, 1.0)
    keyframes = comfy.hooks.HookKeyframeGroup()
    keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.0))
    keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.4))
    hooks.set_keyframes_on_hooks(keyframes)
    (scheduled,) = SetClipHooks().apply_hooks(clip, True, True, hooks)

    entries, _ = encode(scheduled, [SHORT[0], LONG])
    with torch.inference_mode():
        (expected,) = CLIPTextEncode().encode(scheduled, SHORT[0])
    assert [(e["clip_start_percent"], e["clip_end_percent"]) for _, e in entries] == [(0.0, 0.4), (0.4, 1.0)]
    for (text, further), (expected_text, _) in zip(entries, expected, strict=True):
        assert torch.equal(text[:1, :77], expected_text)
        assert further["hooks"] is hooks
    assert not torch.equal(entries[0][0], entries[1][0])


def test_t5_rows_of_one_length():
    """An encoder without chunks works while it makes the same number of tokens of every prompt."""
    clip = encoder_of("flux")
    [[text, further]], _ = encode(clip, SHORT)
    assert torch.equal(text[1], alone(clip, SHORT[1])[0][0])
    assert torch.equal(further["pooled_output"][1], alone(clip, SHORT[1])[1]["pooled_output"][0])


@pytest.mark.parametrize("words", [300, 511])  # 511 words and an end token are twice the 256 of ""
def test_t5_of_unequal_length_is_an_error(words):
    """Prompts that T5 makes unequally long are an error with both prompts and lengths, never filled."""
    long = "cat " * words
    with pytest.raises(ValueError, match=rf"256 tokens of 'a red cat' but {words + 1} of 'cat cat.*SDXL"):
        encode(encoder_of("flux"), ["a red cat", long.strip()])


def test_tokens_behind_the_chunks_are_an_error(monkeypatch):
    """Where an encoder puts other tokens behind CLIP's chunks, as SD3 does, unequal prompts are an error."""
    clip = tiny_clip("sd15")
    encoder = clip.cond_stage_model
    chunks_only = encoder.encode_token_weights

    def with_77_more(tokens):
        text, pooled = chunks_only(tokens)
        return torch.cat([text, torch.zeros_like(text[:, :77])], dim=1), pooled

    monkeypatch.setattr(encoder, "encode_token_weights", with_77_more)
    [[text, _]], _ = encode(clip, SHORT)
    assert torch.equal(text[1], alone(clip, SHORT[1])[0][0])
    with pytest.raises(ValueError, match=r"154 tokens of 'a red cat' but 231 of 'a unicorn.*SDXL"):
        encode(clip, ["a red cat", LONG])


def test_attention_masks_are_an_error():
    """An encoder with attention masks is an error that says which encoders work."""
    with pytest.raises(ValueError, match=r"^clip: this text encoder gives 'attention_mask'.*SDXL"):
        encode(encoder_of("mochi"), SHORT)


def test_one_prompt_may_come_with_anything():
    """There is nothing to join."""
    clip = encoder_of("mochi")
    [[text, more]], _ = encode(clip, SHORT[:1])
    expected, extras = alone(clip, SHORT[0])
    assert torch.equal(text, expected) and torch.equal(more["attention_mask"], extras["attention_mask"])


def test_every_input_has_a_tooltip():
    """The node's inputs and outputs explain themselves, and the style keeps its braces in the browser."""
    info = EncodePromptBatch.GET_NODE_INFO_V1()
    inputs = info["input"]["required"]
    assert list(inputs) == ["clip", "prompts", "style"]
    assert all(options["tooltip"] for _, options in inputs.values())
    assert all(info["output_tooltips"])
    assert info["output"] == ["CONDITIONING", "INT"]
    assert inputs["prompts"][1]["multiline"]
    assert "dynamicPrompts" not in inputs["style"][1]
