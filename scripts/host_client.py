"""Talk to a ComfyUI server as the web UI does: queue a prompt over HTTP, follow it over the websocket."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from failures import Failure
from run_progress import RunProgress, failure_in, refusal

Json = dict[str, Any]
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Picture:
    """A picture that a node saved, as the server names it."""

    node: str
    filename: str
    subfolder: str
    type: str


def pictures_in(outputs: Json) -> list[Picture]:
    """The pictures among what nodes show."""
    found = [(node, image) for node, output in outputs.items() for image in output.get("images", [])]
    return [Picture(node, i["filename"], i["subfolder"], i["type"]) for node, i in found]


class Client:
    """One user of a server; use as `async with Client(address) as client`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.id = uuid.uuid4().hex

    async def __aenter__(self) -> Client:
        self.session = aiohttp.ClientSession(self.address)
        self.socket = await self.session.ws_connect(f"/ws?clientId={self.id}", max_msg_size=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()
        await self.session.close()

    async def object_info(self) -> Json:
        """Every node that the server knows, with its inputs."""
        return await self._get("/object_info")

    async def run(self, prompt: Json, on_progress: Progress, workflow: Json | None = None) -> list[Picture]:
        """Queue `prompt`, wait until it has run and return the pictures it saved. See `outputs`."""
        return pictures_in(await self.outputs(prompt, on_progress, workflow))

    async def outputs(self, prompt: Json, on_progress: Progress, workflow: Json | None = None) -> Json:
        """Queue `prompt`, wait until it has run and return what its nodes show, by node.

        `on_progress(nodes_done, running)` hears how many nodes are done (with fractions) and the title of the
        one at work. `workflow`, in the UI format, is put into the pictures' metadata.
        Raises Failure, with the server's own words, if the prompt is refused, fails or is interrupted.
        """
        prompt_id = await self.queue(prompt, workflow)
        await self.follow(prompt_id, prompt, on_progress)
        outputs: Json = (await self._get(f"/history/{prompt_id}"))[prompt_id]["outputs"]
        return outputs

    async def queue(self, prompt: Json, workflow: Json | None = None) -> str:
        """Put `prompt` into the queue and return its number there."""
        extra = {"extra_pnginfo": {"workflow": workflow}} if workflow else {}
        body = {"prompt": prompt, "client_id": self.id, "extra_data": extra}
        async with self.session.post("/prompt", json=body) as response:
            answer = await response.json()
        if response.status != 200 or answer.get("node_errors"):
            # The server would run the part of a workflow that it accepts.
            if "prompt_id" in answer:
                await self.withdraw(str(answer["prompt_id"]))
            raise Failure(f"the server refuses the workflow ({refusal(answer, prompt)})", "mend the workflow")
        return str(answer["prompt_id"])

    async def follow(self, prompt_id: str, prompt: Json, on_progress: Progress) -> None:
        """Return when the prompt with this number has run."""
        progress, failure = RunProgress(prompt), None
        async for message in self.socket:
            event = message.json() if message.type == aiohttp.WSMsgType.TEXT else {}
            data = event.get("data", {})
            if data.get("prompt_id") != prompt_id:
                continue
            failure = failure or failure_in(event)
            # Only this last message, with no node at work, says that the queue and the history are settled.
            if event["type"] == "executing" and data["node"] is None:
                if failure is not None:
                    raise failure
                return on_progress(len(prompt), "")
            progress.take(event)
            on_progress(progress.done, progress.running)
        raise Failure("the server hung up during the run", "see its log; memory may have run out")

    async def withdraw(self, prompt_id: str) -> None:
        """Take the prompt with this number out of the queue, or stop it."""
        async with self.session.post("/queue", json={"delete": [prompt_id]}) as response:
            response.raise_for_status()
        await self.interrupt(prompt_id)

    async def interrupt(self, prompt_id: str) -> None:
        """Stop the prompt with this number, if it is running."""
        async with self.session.post("/interrupt", json={"prompt_id": prompt_id}) as response:
            response.raise_for_status()

    async def content(self, picture: Picture) -> bytes:
        """The file behind a picture."""
        query = {"filename": picture.filename, "subfolder": picture.subfolder, "type": picture.type}
        async with self.session.get("/view", params=query) as response:
            response.raise_for_status()
            return await response.read()

    async def _get(self, path: str) -> Json:
        async with self.session.get(path) as response:
            response.raise_for_status()
            answer: Json = await response.json()
            return answer
