"""Words with numbers as people write them: `smiling: 5`, `smiling x 5`, `(smiling:5)`, by lines or commas."""

import math
import re

from ....attention_patches.text.lists import COLONS, COMMAS, SEMICOLONS, phrases_of

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_ITEM = rf"(?s)(?P<word>.*?[^\s{COLONS}=*\u00d7])\s*(?:[{COLONS}=*\u00d7]|\sx?)\s*(?P<number>{_NUMBER})"


def word_numbers(text: str, name: str) -> dict[str, float]:
    """Each word or phrase with its number, in order; of a word given twice the last one counts.

    Raises ValueError, naming the input, for a part without a word or a number.
    """
    found: dict[str, float] = {}
    for part in re.split(rf"[{COMMAS}{SEMICOLONS}\n]", text):
        bare = part.strip().removeprefix("(").removesuffix(")").strip()
        if not bare:
            continue
        item = re.fullmatch(_ITEM, bare)
        if item is None or not math.isfinite(float(item["number"])):
            raise ValueError(
                f"{name}: {part.strip()!r} is no word with a number behind it. Write `smiling: 5`, `smiling "
                "5` or `(smiling:5)`, one per line or separated by commas."
            )
        found[item["word"].strip("\"'` ")] = float(item["number"])
    return found


def word_ends(text: str, name: str) -> dict[str, float]:
    """Each word with a percent of the schedule. Raises ValueError for one outside of 0 to 1 as well."""
    ends = word_numbers(text, name)
    for word, end in ends.items():
        if not 0.0 <= end <= 1.0:
            raise ValueError(
                f"{name}: {word!r} has {end:g}, and a place on the noise schedule is between 0 (pure noise) "
                "and 1 (the finished picture). To weigh a word, use `reweight`."
            )
    return ends


def word_lines(text: str, prompts: int, name: str) -> list[list[str]]:
    """Words joined by commas: a line for each prompt, or one for all of them (then a list of one).

    Raises ValueError, naming the input, for another number of lines.
    """
    lines = [phrases for line in text.splitlines() if (phrases := phrases_of(line))]
    if len(lines) not in (0, 1, prompts):
        raise ValueError(
            f"{name}: there are {len(lines)} lines, and {prompts} prompts (the source and the edits). Write "
            f"one line for all, or {prompts}: the source's words first, then those of each edit."
        )
    return lines
