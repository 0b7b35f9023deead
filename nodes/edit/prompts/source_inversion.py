"""Whether an inversion is one of the picture that the source prompt speaks of."""

from typing import Any

from ....attention_patches.inversion.inversion import Inversion
from ...host.text.prompt_batch import encode_rows
from ...host.walks.invert import Conditions
from ...host.walks.model_identity import require_model


def remarks(inversion: Inversion, model: Any, clip: Any, source: str) -> str | None:
    """What the report should say of it. Raises ValueError if it is another model's."""
    found = [remark] if (remark := require_model(inversion, model)) else []
    if inversion.cfg != 1.0:
        found.append(f"the inversion was made with a CFG of {inversion.cfg:g}; with 1 edits keep more of it")
    elif inversion.prompt != Conditions(encode_rows(clip, [source]), None, 1.0).prompt:
        found.append("the inversion was made with another prompt than source_prompt")
    return f"Note: {'; '.join(found)}." if found else None
