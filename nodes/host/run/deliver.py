"""Bring a run's report to the user: a line in the log, and a line on the node."""

import logging
import sys
from collections.abc import Sequence

from comfy_execution.progress import get_progress_state

from ....attention_patches.contract.report import RunReport


def deliver(report: RunReport, node_ids: Sequence[str | None]) -> None:
    """Log the report, and show each node what its method did and what it left alone."""
    logged: set[str] = set()
    for tally, node_id in zip(report.tallies, node_ids, strict=True):
        line, remarks = tally.describe(report), tally.remarks()
        logging.log(
            logging.WARNING if tally.idle or tally.unsound or tally.nothing_to_do else logging.INFO,
            "[Attention Control] %s",
            line,
        )
        for remark in remarks:
            if remark not in logged:
                logging.warning("[Attention Control] %s", remark)
                logged.add(remark)
        show(node_id, "\n".join([line, *remarks]))


def show(node_id: str | None, text: str) -> None:
    """Put a text on a node, in the browser tab that the running prompt comes from, if it comes from one.

    What another node has put in its place while it ran is seen as that node.
    """
    # without a server (tests, scripts) the module was never imported
    server = getattr(sys.modules.get("server"), "PromptServer", None)
    instance = getattr(server, "instance", None)
    client = getattr(instance, "client_id", None)
    if node_id is None or instance is None or client is None:
        return
    seen_as = get_progress_state().dynprompt.get_display_node_id(node_id)
    instance.send_progress_text(text, seen_as, client)
