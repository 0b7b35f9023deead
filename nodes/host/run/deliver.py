"""Bring a run's report to the user: a line in the log, and a line on the node."""

import logging
from collections.abc import Sequence

from ....attention_patches.contract.report import RunReport
from .on_the_node import OnTheNode


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
        OnTheNode(node_id).tell("\n".join([line, *remarks]))
