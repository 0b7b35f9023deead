"""Whether tensors hold numbers only: neither NaN ("not a number") nor infinity."""

import torch
from torch import Tensor

REMEDY = "Another precision, or a repaired checkpoint, may help."  # where a model makes NaN


def all_finite(values: Tensor) -> bool:
    """Whether each value of a floating-point tensor of any shape is a finite number; True if it is empty."""
    if not values.numel():
        return True
    smallest, largest = torch.aminmax(values.detach())  # a NaN anywhere is both of them
    return bool((smallest.isfinite() & largest.isfinite()).item())
