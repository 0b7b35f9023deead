"""A mistake that any method can make."""

from attention_control.attention_patches.contract.schedule import PercentRange


class WorksInTheWholeRange:
    """Works in an empty range too. For a dataclass that is a method besides."""

    off = False

    def __post_init__(self):
        object.__setattr__(self, "during", PercentRange())
