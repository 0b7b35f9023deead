"""After a run the node itself shows what it did, and no other node does."""

import asyncio
from typing import Any

import numpy as np
import pytest

from host_client import Client
from host_server import Server
from ui_workflow import to_prompt

from .reports import SHOWS_PREVIEWS, Prompt, Told, tell
from .runs import EXAMPLES, nodes_of, read, shortened, with_mark

STEPS = 2


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt; a link is the number of a node and of its output."""
    return {"class_type": kind, "inputs": inputs}


def sampled(recorders: list[str], seed: int, **choice: Any) -> Prompt:
    """A picture of one step for each recorder with one of these ids; the recorders are equal."""
    recording = {"record": "both", "layers": "all", "self_max_tokens": 64, **choice}
    recording |= {"heads": "mean", "queries_and_keys": False, "memory_limit_mb": 500, "rows": "conditional"}
    recording |= {"start_percent": 0.0, "end_percent": 1.0, "time_bins": 1}
    sampling = {"steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    texts = {"positive": ["text", 0], "negative": ["text", 0]}
    prompt = {
        "model": node("LoadDemoModel"),
        "text": node("EncodePromptBatch", clip=["model", 1], prompts="a red cat", style=""),
        "size": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    }
    for at in recorders:
        inputs = {"model": [at, 0], **texts, "latent_image": ["size", 0], "seed": seed}
        prompt |= {
            at: node("AttentionRecorder", model=["model", 0], **recording),
            f"{at}0": node("KSampler", **inputs, **sampling),
            f"{at}1": node("PreviewAny", source=[f"{at}0", 0]),
        }
    return prompt


def told(server: Server, *prompts: Prompt) -> list[Told]:
    """What one client hears of some prompts, one after the other."""

    async def run() -> list[Told]:
        async with Client(server.address) as client:
            return [await tell(client, prompt) for prompt in prompts]

    return asyncio.run(run())


def of_examples(server: Server, *names: str) -> list[tuple[Prompt, set[str], Told]]:
    """Examples, shortened, one after the other: the prompt, its nodes that take their id, what is heard."""

    async def run() -> list[tuple[Prompt, set[str], Told]]:
        async with Client(server.address) as client:
            known, found = await nodes_of(client), []
            for name in names:
                workflow = read(EXAMPLES[name])
                prompt = shortened(with_mark(to_prompt(workflow, known), 3), STEPS)
                ours = {
                    at
                    for at, node in prompt.items()
                    if "attention-control" in known[node["class_type"]]["python_module"]
                    and "unique_id" in known[node["class_type"]]["input"].get("hidden", {})
                }
                found.append((prompt, ours, await tell(client, prompt)))
            return found

    return asyncio.run(run())


def test_the_node_shows_the_report(server: Server) -> None:
    """The text goes to the node that made the patch, through the server, while it runs."""
    ((prompt, ours, heard),) = of_examples(server, "01 One style for a whole batch")
    assert [prompt[at]["class_type"] for at in ours] == ["StyleAlignedBatch"]
    line = f"StyleAligned: 7 of 7 layers, {STEPS} of {STEPS} noise levels, 4 images."
    assert heard.texts == {at: [line] for at in ours}


def test_a_report_of_one_workflow_is_not_on_a_node_of_another(server: Server) -> None:
    """Two examples have an equal recorder, under another number; each shows its own."""
    for _prompt, ours, heard in of_examples(
        server, "02 Where does the model look", "06 Five kittens in boxes, each itself"
    ):
        assert heard.texts.keys() == ours


def test_equal_nodes_show_a_report_each(server: Server) -> None:
    """Two equal nodes, with a sampler each, are two nodes."""
    (heard,) = told(server, sampled(["5", "6"], seed=1))
    assert heard.texts.keys() == {"5", "6"}


@pytest.mark.parametrize("other", ["7", "12:3", "12:8:3"])
def test_a_node_has_its_report_under_another_id(server: Server, other: str) -> None:
    """The same workflow, from another tab, in a second API prompt, moved into a subgraph or one in that.

    What is loaded and encoded, and what shows nothing, still comes from the cache.
    """
    first, second = told(server, sampled(["5"], seed=2), sampled([other], seed=2))
    assert first.texts.keys() == {"5"}
    assert second.texts.keys() == {other}
    assert second.cached == {"model", "text", "size"}


def test_the_same_node_again_comes_from_the_cache(server: Server) -> None:
    """Nothing runs twice for the report's sake: neither in the same workflow, nor in a grown one."""
    once, again, grown = told(
        server, sampled(["5"], seed=3), sampled(["5"], seed=3), sampled(["5", "6"], seed=3)
    )
    assert once.texts.keys() == {"5"}
    assert again.cached == sampled(["5"], seed=3).keys() and not again.texts
    assert grown.cached == again.cached and grown.texts.keys() == {"6"}


def test_what_a_node_expands_to_reports_on_that_node(server: Server) -> None:
    """Loops and other nodes that put a graph in their place are what the user sees of it."""
    inputs = {"model": ["model", 0], "text": ["text", 0], "latent": ["size", 0], "seed": 5}
    expanding = {"12": node("RecordedSampler", **inputs), "13": node("PreviewAny", source=["12", 0])}
    (heard,) = told(server, {**sampled([], seed=5), **expanding})
    assert heard.texts.keys() == {"12"}


def test_other_clients_are_told_nothing(server: Server) -> None:
    """A second tab may have a node of the same number, and the report is not its own."""

    async def run() -> Told:
        async with Client(server.address) as client, Client(server.address) as other:
            await tell(client, sampled(["5"], seed=4))
            return await tell(other, {"1": node("PreviewAny", source="done")})

    assert asyncio.run(run()).texts == {}


def test_nobody_is_told_of_a_prompt_that_nobody_follows(server: Server) -> None:
    """Programs that queue a prompt without an id of their own look at no node."""

    async def run() -> Told:
        async with Client(server.address) as other:
            async with other.session.post("/prompt", json={"prompt": sampled(["5"], seed=6)}) as response:
                response.raise_for_status()
            return await tell(other, {"1": node("PreviewAny", source="done too")})

    assert asyncio.run(run()).texts == {}


def blended(steps: int) -> Prompt:
    """Two pictures of an edit with a blend."""
    edit = {"source_prompt": "a red cat", "edit_prompts": "a red dog", "edit": "auto", "cross_until": 0.8}
    edit |= {"cross_until_words": "", "self_until": 0.4, "self_max_tokens": 256, "reweight": ""}
    edit |= {"blend_words": "cat, dog", "keep_words": "", "blend_threshold": 0.3, "blend_from": 0.0}
    sampling = {"seed": 7, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    prompts = {"positive": ["5", 1], "negative": ["5", 1], "latent_image": ["5", 2]}
    models = {"model": ["model", 0], "clip": ["model", 1], "latent": ["size", 0]}
    return {
        "model": node("LoadDemoModel"),
        "size": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node("PromptToPrompt", **models, **edit, layers="all"),
        "6": node("KSampler", model=["5", 0], **prompts, steps=steps, **sampling),
        "7": node("PreviewAny", source=["6", 0]),
    }


def test_masks_are_drawn_on_the_node_while_it_runs(server: Server) -> None:
    """A picture of a mask for each image, as often as the run has time for it, white where the edit may
    differ, for tabs that show previews; nobody else is sent any."""

    async def run() -> tuple[Told, Told]:
        async with Client(server.address) as client, Client(server.address) as other:
            await client.socket.send_json(SHOWS_PREVIEWS)
            return await tell(client, blended(3)), await tell(other, blended(2))

    shown, hidden = asyncio.run(run())
    assert hidden.previews == {} and hidden.texts.keys() == {"5"}
    assert shown.previews.keys() == {"5"} and 1 <= len(shown.previews["5"]) <= 3
    for picture in shown.previews["5"]:
        height, width = picture.shape
        inside = picture[2:-2, 2 : width // 2 - 2], picture[2:-2, width // 2 + 2 : -2]
        assert height >= 128 and width == 2 * height
        assert all(set(np.unique(tile)) == {0, 255} for tile in inside)
        assert bool((inside[1] >= inside[0]).all()), "the source's words are among what may differ"
