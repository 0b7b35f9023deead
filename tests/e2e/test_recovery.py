"""After a cancelled and after a failed run the server goes on as if nothing had been."""

import asyncio
from typing import Any

import pytest

from failures import Failure
from host_client import Client
from host_server import Server
from run_progress import title
from ui_workflow import to_prompt

from .runs import EXAMPLES, FEW_STEPS, Example, nodes_of, pictures, read, same, shortened, with_mark

STYLE_ALIGNED = EXAMPLES["01 One style for a whole batch"]
SHARED = "shared style"


def test_cancelled_run_leaves_the_next_one_as_it_was(server: Server, example: Example) -> None:
    """A run interrupted while sampling ends as such; the next one gives the same pictures."""
    before = example("01 One style for a whole batch")

    async def cancel_while_sampling() -> None:
        async with Client(server.address) as client:
            prompt = with_mark(to_prompt(read(STYLE_ALIGNED), await nodes_of(client)), 11)
            steps = {node: prompt[node]["inputs"].get("steps") for node in prompt}
            shortened(prompt, FEW_STEPS)
            (sampler,) = (node for node in prompt if steps[node] and SHARED in title(prompt, node))
            prompt[sampler]["inputs"]["steps"] = steps[sampler]  # so that there is time to cancel it
            number = await client.queue(prompt)
            pending: list[asyncio.Task[None]] = []

            def on_progress(done: float, running: str) -> None:
                if SHARED in running and not pending:
                    pending.append(asyncio.ensure_future(client.interrupt(number)))

            await client.follow(number, prompt, on_progress)

    with pytest.raises(Failure, match="interrupted"):
        asyncio.run(cancel_while_sampling())
    assert same(before, asyncio.run(pictures(server, read(STYLE_ALIGNED), again=12, steps=FEW_STEPS)))


def test_failed_run_names_the_node_and_leaves_the_next_one_as_it_was(
    server: Server, example: Example
) -> None:
    """A reference outside the batch fails, quoting both numbers; the next run is right."""
    before = example("01 One style for a whole batch")
    wrong: dict[str, Any] = read(STYLE_ALIGNED)
    node = next(node for node in wrong["nodes"] if node["type"] == "StyleAlignedBatch")
    node["widgets_values"][2] = 7
    with pytest.raises(Failure, match=r"7.*4|4.*7"):
        asyncio.run(pictures(server, wrong, again=21, steps=FEW_STEPS))
    assert same(before, asyncio.run(pictures(server, read(STYLE_ALIGNED), again=22, steps=FEW_STEPS)))


def test_refused_workflow_names_the_node_and_the_input(server: Server) -> None:
    """A value outside an input's limits is refused before anything runs, naming the node and the input."""
    wrong: dict[str, Any] = read(STYLE_ALIGNED)
    node = next(node for node in wrong["nodes"] if node["type"] == "StyleAlignedBatch")
    node["widgets_values"][-1] = 2.0
    with pytest.raises(Failure, match=r"StyleAligned.*end_percent|Style Aligned.*end_percent"):
        asyncio.run(pictures(server, wrong))
