"""A diagnosis in sentences: what became of each thing that the prompt names, and which node helps."""

from collections.abc import Iterator, Sequence

from ...attention_patches.maps.diagnosis.findings import Diagnosis, ThingFinding

BOXES = "Bounded Attention with a box for each"
ONE_BOX = "Layout Guidance or Bounded Attention with a box for it"
WEIGHT = "Prompt-to-Prompt with a `reweight` of it above 1"


def diagnosis_text(found: Sequence[Diagnosis]) -> str:
    """A paragraph for each image, a line for each noun and each attribute that went astray."""
    return "\n\n".join(
        "\n".join(([f"Image {image}"] if len(found) > 1 else []) + list(_lines(each)))
        for image, each in enumerate(found)
    )


def _lines(each: Diagnosis) -> Iterator[str]:
    for found in each.things:
        yield _of_noun(each, found)
        yield from _of_attributes(each, found)


def _of_noun(each: Diagnosis, found: ThingFinding) -> str:
    name, share = found.thing.text, f"{found.share:.0%}"
    rival = "" if found.rival is None else each.things[found.rival].thing.text
    if found.state == "present":
        among = f", with {share} of what all nouns get there" if rival and not each.given else ""
        return f"{name}: present in segment {found.home + 1}{among}{_asked(each, found)}."
    if found.state == "fused":
        return (
            f"{name}: fused with {rival}; both are looked at in segment {found.home + 1} ({name} with "
            f"{share}){_asked(each, found)}.{_try(each, BOXES)}"
        )
    if each.given:
        return f"{name}: neglected{_asked(each, found)}."
    if found.answered:
        return f"{name}: neglected, though it is looked at{_asked(each, found)}. Try {ONE_BOX}, or {WEIGHT}."
    where = f", and {name} has {share} of what all nouns get there" if rival else ""
    return (
        f"{name}: neglected; even where it is most looked at it is {found.rise:.1f} times its mean{where}"
        f"{_asked(each, found)}. Try {ONE_BOX}, or {WEIGHT}."
    )


def _asked(each: Diagnosis, found: ThingFinding) -> str:
    """What the model says of a noun, if it was asked."""
    if found.gain is None:
        return ""
    return f" (gain {found.gain:.2f}{', so by attention' if each.given and not found.answered else ''})"


def _try(each: Diagnosis, node: str) -> str:
    """What helps where a picture can be sampled again."""
    return "" if each.given else f" Try {node}."


def _of_attributes(each: Diagnosis, found: ThingFinding) -> Iterator[str]:
    own = next(number for number, other in enumerate(each.things) if other is found)
    for attribute in found.attributes:
        name, noun = attribute.text, found.thing.noun.text
        if attribute.bound is None:
            yield f"{name} (of {noun}): neglected; nothing that is there has it.{_try(each, WEIGHT)}"
        elif attribute.bound != own:
            other = each.things[attribute.bound].thing.noun.text
            yield f"{name} (of {noun}): bound to {other}.{_try(each, BOXES)}"
        else:
            yield f"{name}: bound to {noun}."
