"""A prompt whose object stands in braces, `a {basket} of apples`, and the same with other words there."""

import re
from dataclasses import dataclass
from typing import Any

from ....attention_patches.text.words import PromptTokens, Word, word_places
from ...host.text.clip_tokens import prompt_tokens

_BRACES = r"\{([^{}]*)\}"
EXAMPLE = "Write the object's word in braces: `a {basket} of apples`."


@dataclass(frozen=True)
class ObjectPrompt:
    """What stands before the object, the object, and what stands behind it."""

    before: str
    word: str
    after: str

    @classmethod
    def read(cls, prompt: str) -> "ObjectPrompt":
        """Raises ValueError, with an example, unless exactly one word or phrase is in braces."""
        text = " ".join(prompt.split())
        found = list(re.finditer(_BRACES, text))
        if len(found) != 1 or re.sub(_BRACES, "", text).count("{") or re.sub(_BRACES, "", text).count("}"):
            held = ", ".join(match[0] for match in found) or "none"
            raise ValueError(f"prompt: one word is the object, and in braces is {held}. {EXAMPLE}")
        before, word, after = text[: found[0].start()], found[0][1].strip(), text[found[0].end() :]
        if not word:
            raise ValueError(f"prompt: the braces are empty. {EXAMPLE}")
        read = cls(before, word, after)
        if read.cuts_a_word:
            raise ValueError(f"prompt: {found[0][0]} is a part of a word. {EXAMPLE}")
        return read

    @property
    def original(self) -> str:
        return self.of(self.word)

    @property
    def cuts_a_word(self) -> bool:
        """Whether a word goes on over the beginning or the end of the object."""
        text, start, stop = self.original, len(self.before), len(self.before) + len(self.word)
        words = [place for place in word_places(text) if any(map(str.isalnum, text[place]))]
        return any(place.start < edge < place.stop for place in words for edge in (start, stop))

    def of(self, word: str) -> str:
        """The prompt with this word in place of the object's."""
        return self.before + word + self.after

    def object_in(self, clip: Any) -> tuple[PromptTokens, Word]:
        """The original's words, and which of them is the object.

        Raises ValueError for encoders whose words cannot be found, or an object that is no word.
        """
        tokens = prompt_tokens(clip, self.original)
        try:
            tokens.find(self.word)
        except ValueError as error:
            raise ValueError(f"prompt: {error}") from None
        earlier, later = (
            len(prompt_tokens(clip, text).occurrences(self.word)) for text in (self.before, self.after)
        )
        places = tokens.occurrences(self.word)
        if len(places) != earlier + 1 + later:
            raise ValueError(
                f"prompt: to this text encoder {{{self.word}}} is one with what stands beside it. Set spaces "
                "or commas round the object."
            )
        return tokens, places[earlier]


def proxy_lines(proxies: str) -> list[str]:
    """One word or phrase per line, without its spaces and braces."""
    lines = (" ".join(line.strip(" {},\t").split()) for line in proxies.splitlines())
    return [line for line in lines if line]
