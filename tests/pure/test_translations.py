"""Each translation says what its English says, and says it in its own language."""

import re

import pytest

from translations import LANGUAGES, read

# Texts that are the same in a language as in English, and why.
SAME = {
    "x": LANGUAGES,  # the axes
    "y": LANGUAGES,
    "t {time}": tuple(
        each for each in LANGUAGES if each != "ar"
    ),  # a symbol; in Arabic it would turn the line
    "sigmas": ("fr", "es"),  # as the host's own translations have it
    **dict.fromkeys(
        ("style", "inversion", "Pause", "placement", "latent", "segments"), ("fr",)
    ),  # are French
}
SCRIPTS = {
    "zh": r"[\u4e00-\u9fff]",
    "zh-TW": r"[\u4e00-\u9fff]",
    "ja": r"[\u3040-\u30ff\u4e00-\u9fff]",
    "ko": r"[\uac00-\ud7af]",
    "ru": r"[\u0400-\u04ff]",
    "ar": r"[\u0600-\u06ff]",
}
NAMES = {"x", "y", "t {time}", "AdaIN", "CFG", "CLIP", "VAE", "Sigmas"}  # are written so in all languages
ENGLISH = re.compile(r"\b(the|of|and|with|for|from|which|its|are|this|that|each)\b")
# What users type or choose stays English: examples in quotes or backticks, values of choices.
LITERAL = re.compile(
    r"`[^`]*`|'[^']*'|queries and keys|Plug-and-Play|edit friendly|each (place|part)\W|Mixture of Diffusers"
    r"|of apples"
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def faults(language: str, english: str, text: str) -> list[str]:
    """What is wrong with a translation, as far as it can be seen without knowing the language."""
    found = []
    if text == english and language not in SAME.get(english, ()):
        found.append("is English")
    if language in SCRIPTS and text not in NAMES and not re.search(SCRIPTS[language], text):
        found.append("is not in the language's script")
    if ENGLISH.search(LITERAL.sub("", text)):
        found.append("has English words")
    if places(text) != places(english):
        found.append("has other places for values")
    if numbers(text) != numbers(english):
        found.append("has other numbers")
    return found


def places(text: str) -> list[str]:
    """The places for values, and the braces that a user is told to write."""
    return sorted(re.findall(r"\{\w*\}", text))


def numbers(text: str) -> list[str]:
    """All numbers; the order is the language's own."""
    return sorted(NUMBER.findall(text.replace("img2img", "")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_say_what_the_english_says(language: str) -> None:
    """None is English by accident, all are in the language's script and keep places and numbers."""
    found = {english: faults(language, english, text) for english, text in read(language).items()}
    assert {english: wrong for english, wrong in found.items() if wrong} == {}


def test_same_words_are_the_same() -> None:
    """The list of exceptions holds none that is none."""
    assert [
        (language, word) for word, where in SAME.items() for language in where if read(language)[word] != word
    ] == []


@pytest.mark.parametrize(
    ("language", "text", "fault"),
    [
        ("fr", "where “{words}” is looked at (up to {share})", "is English"),
        ("ja", "{words} ({share})", "is not in the language's script"),
        ("es", "dónde se mira «{words}» (hasta {share}) and more", "has English words"),
        ("zh", "“{word}”在何处被关注 {share}", "has other places for values"),
        ("ko", "“{words}”를 보는 곳(최대 {share}, 2)", "has other numbers"),
    ],
)
def test_faults_are_seen(language: str, text: str, fault: str) -> None:
    """One of each kind."""
    assert fault in faults(language, "where “{words}” is looked at (up to {share})", text)
