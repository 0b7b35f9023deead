"""Prompts of a batch on transformers: each image is that of its prompt alone, or the node says why not."""

from functools import cache

import comfy.sd
import pytest
import torch
from attention_control.nodes.host.text.one_length import filled_rows, of_one_length
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.style.encode_prompt_batch_node import EncodePromptBatch
from nodes import CLIPTextEncode

from .test_words_of_language_models import tokenizing
from .tiny import assert_same_image, tiny_clip
from .tiny.transformers import painted, spoken, transformer

ONE_STEP = {"steps": 1, "cfg": 1.0, "batch": 1}


class Tekken:
    """Flux.2's tokenizer: its vocabulary comes with a checkpoint."""

    def tokenize_with_weights(self, text, return_word_ids=False, **options):
        return {"mistral3_24b": [[(0, 1.0)] * len(text.split())]}


def flux2():
    clip = comfy.sd.CLIP(no_init=True)
    clip.tokenizer, clip.tokenizer_options = Tekken(), {}
    return clip


@cache
def z_image():
    return tiny_clip("z-image")


@pytest.mark.parametrize(
    ("kind", "clip"),
    [("qwen-image", lambda: tokenizing("qwen-image")), ("flux2", flux2)],
    ids=["qwen", "flux2"],
)
def test_what_fills_up_a_prompt_is_not_seen(kind, clip):
    """Qwen-Image masks it, and Flux.2 has the same zeros there for a prompt alone."""
    alone = [spoken(kind, tokens=tokens, seed=seed) for tokens, seed in ((6, 1), (11, 2))]
    rows = of_one_length(clip(), ["a cat", "a longer prompt"], alone, spoken(kind, tokens=2))
    for prompt, ((text, more), *_) in zip(alone, rows, strict=True):
        assert text.shape[1] == 11
        filled = painted(transformer(kind), kind, prompts=([[text, more]], prompt), **ONE_STEP)
        assert_same_image(filled, painted(transformer(kind), kind, prompts=(prompt, prompt), **ONE_STEP))


def test_prompts_of_equally_many_tokens():
    """Are rows of one conditioning, whose mask, which masks nothing, stays the mask of one row: the host
    counts its numbers."""
    clip, prompts = z_image(), ["a red cat", "a red dog"]
    with torch.inference_mode():
        [[text, more]], _ = EncodePromptBatch.execute(clip, "\n".join(prompts), "").args
        for row, prompt in enumerate(prompts):
            (((alone, further),),) = CLIPTextEncode().encode(clip, prompt)
            assert torch.equal(text[row], alone[0])
            assert torch.equal(more["attention_mask"], further["attention_mask"])


def test_what_another_reader_makes_of_a_prompt_is_its_row():
    """HiDream's Llama gives a text beside T5's; one that goes on behind the others' is refused."""
    clip, prompts = tiny_clip("hidream"), ["a red cat", "a blue dog at night"]
    with torch.inference_mode():
        [[_, more]], _ = EncodePromptBatch.execute(clip, "\n".join(prompts), "").args
        for row, prompt in enumerate(prompts):
            (((_, further),),) = CLIPTextEncode().encode(clip, prompt)
            assert torch.equal(more["conditioning_llama3"][row], further["conditioning_llama3"][0])
        assert not torch.equal(*more["conditioning_llama3"])
        with pytest.raises(ValueError, match="gives 'conditioning_llama3' with prompts"):
            EncodePromptBatch.execute(clip, f"a cat\n{'cat ' * 150}", "")


def test_what_stands_in_quotes_is_read_row_by_row():
    """By HunyuanImage, where the quotes have equally many letters; else it is refused with what to write."""
    clip, prompts = tiny_clip("hunyuan-image"), ['a sign "red"', 'a sign "big"']
    key = "conditioning_byt5small"
    with torch.inference_mode():
        [[text, more]], _ = EncodePromptBatch.execute(clip, "\n".join(prompts), "").args
        for row, prompt in enumerate(prompts):
            (((alone, further),),) = CLIPTextEncode().encode(clip, prompt)
            assert torch.equal(more[key][row], further[key][0])
            assert torch.equal(text[row], alone[0])
        assert not torch.equal(*more[key])
        for other in ('a sign "a"', "a big sign is red"):
            with pytest.raises(ValueError, match=r"gives 'conditioning_byt5small' .*letters stand in quotes"):
                EncodePromptBatch.execute(clip, f"{prompts[0]}\n{other}", "")


def test_prompts_of_other_lengths_are_refused():
    """Where a model would see what fills them up, with the way out."""
    with pytest.raises(ValueError, match=r"prompts: this text encoder \(qwen3_4b\) makes") as error:
        EncodePromptBatch.execute(z_image(), "a cat\na red hedgehog in the snow", "")
    assert "as if it were text" in str(error.value)
    assert "prompts of equally many tokens, give all images one prompt, or sample them" in str(error.value)


LONG = "a red dog" + ", a red dog" * 30


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_filled_rows_are_those_with_fewer_chunks(kind):
    """As the encoded rows have it: behind the text of the others stands what an empty prompt is."""
    clip, prompts = tiny_clip(kind), ["a red cat", LONG, "a red fox"]
    with torch.inference_mode():
        ((text, _),) = encode_rows(clip, prompts)
        (((blank, _),),) = CLIPTextEncode().encode(clip, "")
    filled = [row for row in range(3) if torch.equal(text[row, 77:154], blank[0])]
    assert filled_rows(clip, prompts) == tuple(filled) == (0, 2)
    assert filled_rows(clip, prompts[::2]) == ()


def test_another_text_beside_clips_is_not_filled_up():
    """Flux.1 reads CLIP's chunks as one vector."""
    assert filled_rows(tiny_clip("flux"), ["a red cat", LONG]) == ()
