"""Lists that users write: one phrase a line, or with commas between."""

import re

COMMAS = ",\u060c\u3001\uff0c"  # of Latin, Arabic, Japanese and Chinese keyboards
SEMICOLONS = ";\u061b\uff1b"
COLONS = ":\uff1a"


def phrases_of(text: str) -> list[str]:
    """The phrases of a list, in order, without blank ones."""
    return [part.strip() for part in re.split(rf"[{COMMAS}\n]", text) if part.strip()]
