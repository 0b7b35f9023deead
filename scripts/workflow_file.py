"""A workflow in a file, and what can be known to be wrong with it before a server is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from failures import Failure
from workflow_graph import Graph, Json, active


def read_workflow(path: Path) -> Json:
    """The workflow in a file, in either form.

    Raises Failure for all that can be known to be wrong without a server.
    """
    try:
        workflow = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(f"there is no file {path}", "give a workflow with --workflow") from None
    except ValueError as error:
        raise Failure(f"{path} is not JSON ({error})", "give a workflow as the web UI saves it") from None
    check(workflow)
    return workflow


def check(workflow: Any) -> None:
    """Raise Failure unless this is a workflow of the web UI that can be converted, or a prompt of the API."""
    if not isinstance(workflow, dict):
        raise neither()
    if "nodes" not in workflow:
        _check_prompt(workflow)
        return
    if workflow.get("definitions", {}).get("subgraphs"):
        raise Failure("the workflow has subgraphs", "unpack them in the web UI and save it again")
    try:
        graph, nodes = Graph(workflow), active(workflow)
        for node in nodes:
            graph.connections(node)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise neither() from None
    if not nodes:
        raise Failure("the workflow has no active node", "give one that has at least an output node")


def _check_prompt(prompt: Json) -> None:
    """Raise Failure unless every value is a node with a class and inputs."""
    nodes = [node for node in prompt.values() if isinstance(node, dict)]
    if (
        not nodes
        or len(nodes) < len(prompt)
        or not all({"class_type", "inputs"} <= set(node) for node in nodes)
    ):
        raise neither()


def neither() -> Failure:
    """What is said of a file that is something else."""
    return Failure(
        "the file is neither a workflow of the web UI nor a prompt of the API",
        "save it in the web UI with Workflow > Save or Workflow > Export (API)",
    )
