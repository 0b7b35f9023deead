"""Which images of its seed's batch a run samples: the host's noise tells."""

import torch
from torch import Tensor

MOST = 64


def numbers_of(noise: Tensor, seed: int | None) -> tuple[int, ...]:
    """The number of each row of noise (B, C, ..., h, w) in the batch that the host draws for this seed.

    They are 0, 1, ... unless a node has cut the latent out of a larger batch: the host then gives each row
    the noise that it would have had there. Empty if one is none of the first `MOST` (another kind of noise,
    or none at all). The host's own generator is left alone.
    """
    if seed is None or not noise.any():
        return ()
    rows = noise.detach().cpu()
    generator = torch.Generator().manual_seed(seed)
    found: dict[int, int] = {}
    for number in range(MOST):
        drawn = torch.randn([1, *noise.shape[1:]], generator=generator).to(rows.dtype)[0]
        found |= {i: number for i, row in enumerate(rows) if i not in found and torch.equal(row, drawn)}
        if len(found) == len(rows):
            return tuple(found[i] for i in range(len(rows)))
    return ()
