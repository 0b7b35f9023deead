"""What the server's messages about a prompt say: how far it is, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from failures import Failure

Json = dict[str, Any]


@dataclass
class RunProgress:
    """How far a prompt is: a fraction for each node that has started, and the title of the one at work."""

    prompt: Json
    fractions: dict[str, float] = field(default_factory=dict)
    running: str = ""

    @property
    def done(self) -> float:
        """How many nodes are done, counting parts."""
        return sum(self.fractions.values())

    def take(self, event: Json) -> None:
        """Take in one message of the server."""
        if event["type"] == "execution_cached":
            self.fractions.update(dict.fromkeys(event["data"]["nodes"], 1.0))
        if event["type"] != "progress_state":
            return
        for node, at in event["data"]["nodes"].items():
            if node in self.prompt:
                self.fractions[node] = 1.0 if at["state"] == "finished" else at["value"] / max(at["max"], 1)
                if at["state"] == "running":
                    self.running = title(self.prompt, node)


def title(prompt: Json, node: str) -> str:
    """What a node of a prompt is called: its title, else its class."""
    return str(prompt[node].get("_meta", {}).get("title") or prompt[node]["class_type"])


def failure_in(event: Json) -> Failure | None:
    """The failure that a message of the server tells of, if it does."""
    data = event.get("data", {})
    if event["type"] == "execution_interrupted":
        return Failure("the run was interrupted", "run it again")
    if event["type"] != "execution_error":
        return None
    what = one_line(data.get("exception_message", ""))
    where = f"{data.get('node_type')} (number {data.get('node_id')})"
    return Failure(f"the node {where} failed: {what}", "do what it says and run it again")


def refusal(answer: Json, prompt: Json) -> str:
    """Why the server refuses a prompt, in one line."""
    reasons = [
        f"{title(prompt, node)} (number {node}): {one_line(error['message'])}: {one_line(error['details'])}"
        for node, found in (answer.get("node_errors") or {}).items()
        for error in found["errors"]
    ]
    error = answer.get("error", "")
    general = error.get("message", "") if isinstance(error, dict) else error
    return "; ".join(reasons) or one_line(general)


def one_line(text: object) -> str:
    """The text without line breaks."""
    return " ".join(str(text).split())
