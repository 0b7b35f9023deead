"""Every example workflow, as it is saved for the web UI but for fewer steps, runs on a real server."""

import asyncio
import io

import pytest
from PIL import Image

from host_client import Client
from host_server import Server

from .runs import EXAMPLES, IN_ITS_STYLE, Example, pictures, read, same, shows_something, steps_of

AGAIN = ["12 One picture in the appearance of another", "06 Five kittens in boxes, each itself"]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in IN_ITS_STYLE])
def test_example_gives_pictures(name: str, example: Example) -> None:
    """Every saving node gives pictures that show something, all of its own of one size. Those in the style of
    a picture have a test of their own."""
    shows_something(read(EXAMPLES[name]), example(name))


def test_style_aligned_changes_all_but_the_reference(example: Example) -> None:
    """The reference, image 0, is the same in both batches; every other image differs."""
    found = example("01 One style for a whole batch")
    plain, aligned = found["Plain"], found["Style aligned"]
    assert len(plain) == len(aligned) == 4
    changed = [bool((a != b).any()) for a, b in zip(plain, aligned, strict=True)]
    assert changed == [False, True, True, True]


def test_prompt_to_prompt_keeps_the_source_and_the_layout(example: Example) -> None:
    """The source, image 0, is the same with and without edits; every edit differs from its plain picture, and
    is nearer to the source than that."""
    found = example("07 Change a word, keep the picture")
    plain, edited = found["Plain, the same noise"], found["Prompt-to-Prompt"]
    assert len(plain) == len(edited) == 5
    assert not (plain[0] != edited[0]).any()
    far, near = ([abs(b.astype(int) - plain[0]).mean() for b in batch[1:]] for batch in (plain, edited))
    assert all(ours < theirs for ours, theirs in zip(near, far, strict=True))


def test_shape_variations_keep_the_original_and_stay_near_it(example: Example) -> None:
    """The original, image 0, is the same with and without; every variation differs from it, and is nearer to
    it than what its proxy gives alone."""
    found = example("10 Other shapes of one object")
    plain, varied = found["Plain, the same noise"], found["Shape Variations"]
    assert len(plain) == len(varied) == 7
    assert not (plain[0] != varied[0]).any()
    far, near = ([abs(b.astype(int) - plain[0]).mean() for b in batch[1:]] for batch in (plain, varied))
    assert all(0 < ours < theirs for ours, theirs in zip(near, far, strict=True))


@pytest.mark.parametrize("name", AGAIN)
def test_sampling_again_gives_the_same_pictures(name: str, server: Server, example: Example) -> None:
    """The same seed, sampled twice with the same patched model, gives the same pixels: in methods that keep
    something for a run. That every method gives the same bits is a law of the host's tests."""
    again = asyncio.run(pictures(server, read(EXAMPLES[name]), again=1, steps=steps_of(name)))
    assert same(example(name), again)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_offered_as_a_template_with_a_thumbnail(name: str, server: Server) -> None:
    """The web UI's template browser lists the example and finds a picture for it."""

    async def ask() -> tuple[dict[str, list[str]], bytes]:
        async with Client(server.address) as client:
            async with client.session.get("/api/workflow_templates") as answer:
                templates = await answer.json()
            address = f"/api/workflow_templates/attention-control/{name}.jpg"
            async with client.session.get(address) as answer:
                answer.raise_for_status()
                return templates, await answer.read()

    templates, thumbnail = asyncio.run(ask())
    assert name in templates["attention-control"]
    with Image.open(io.BytesIO(thumbnail)) as image:
        assert image.format == "JPEG" and min(image.size) >= 128
