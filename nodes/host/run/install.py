"""Put a method on a MODEL: a clone that carries the specification, and nothing else until it is sampled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....attention_patches.contract.method import Method
from .deliver import deliver
from .on_the_node import OnTheNode
from .run import KEY
from .start import start_run


@dataclass(frozen=True)
class Installed:
    """A method, and the node to which its report goes."""

    method: Method
    node_id: str | None


def install(model: Any, method: Method, node_id: str | None = None) -> Any:
    """A clone of the MODEL with the method after those it already has; the later node is the outer one."""
    clone = model.clone()
    clone.set_attachments(KEY, (*installed(model), Installed(method, node_id)))
    if not clone.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY):
        clone.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, _outer_sample)
    return clone


def installed(model: Any) -> tuple[Installed, ...]:
    """The methods that a MODEL carries, in the order of their nodes."""
    return model.get_attachment(KEY) or ()


def reinstalled(model: Any, specs: Sequence[Installed]) -> Any:
    """A clone of a MODEL that carries methods, with these in their place."""
    clone = model.clone()
    clone.set_attachments(KEY, tuple(specs))
    return clone


def _outer_sample(
    executor: Any, noise: Tensor, latent_image: Any, sampler: Any, sigmas: Tensor, *rest: Any, **named: Any
) -> Any:
    """Wrapper round a whole sampling run, once per model whatever the number of methods."""
    guider = executor.class_obj
    specs = installed(guider.model_patcher)
    nodes = [OnTheNode(spec.node_id) for spec in specs]
    run = start_run(guider, [spec.method for spec in specs], nodes, noise)
    try:
        samples = executor(noise, latent_image, sampler, sigmas, *rest, **named)
        run.finish(samples)
        deliver(run.report, [spec.node_id for spec in specs])
    finally:
        run.release()
    return samples
