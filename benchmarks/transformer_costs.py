"""What patches cost on a transformer: time of a sampling run over the unpatched run, and over their floors.

All variants run on the blocks of `measure/cost/flux_blocks` in one process, in turn, round after round;
ratios are taken within a round, and their medians reported. On a CPU the process's own time is counted. So
are the calls of the model: a patch may not ask for more.

A floor is what a method's arithmetic asks of the host's attention, by an override of a few lines without the
pack: for StyleAligned the picture's keys and values once more for its queries, for masks a bias on them, for
the recorder of all layers a softmax of the picture's queries beside each attention.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from measure.setting import host

host.start()

import torch  # noqa: E402
from attention_control.attention_patches.contract.attention_part import Attend, Order  # noqa: E402
from attention_control.attention_patches.contract.batch import Batch  # noqa: E402
from attention_control.attention_patches.contract.call.qkv import QKV  # noqa: E402
from attention_control.attention_patches.contract.call.site import Site  # noqa: E402
from attention_control.attention_patches.contract.method import Method, Part  # noqa: E402
from attention_control.attention_patches.maps.recorded import MapStore  # noqa: E402
from attention_control.attention_patches.maps.recorders.recorder import Recorder  # noqa: E402
from attention_control.attention_patches.methods.style_aligned.method import StyleAligned  # noqa: E402
from attention_control.nodes.host.families import family_of  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from measure.cost.flux_blocks import Case, case  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.pages.tables_of_cost import multiple  # noqa: E402
from measure.setting.turns import ratio, seconds_of  # noqa: E402

FLOORS = {"StyleAligned": "shared keys", "masks": "a bias", "recorder": "a softmax beside"}


@dataclass(frozen=True, kw_only=True)
class Masks(Method):
    """A mask on the picture's keys, as of methods that bound subjects."""

    label: ClassVar[str] = "Masks"
    tokens: int

    def begin(self, batch: Batch) -> Sequence[Part]:
        return [Masked(torch.zeros(1, 1, self.tokens, self.tokens))]


@dataclass(frozen=True, eq=False)
class Masked:
    """The same bias in all layers."""

    order: ClassVar[Order] = "edit"
    bias: torch.Tensor

    def wants(self, site: Site) -> bool:
        return site.kind == "self"

    def __call__(self, site: Site, qkv: QKV, attend: Attend) -> torch.Tensor:
        return attend(qkv.add_bias(self.bias.to(qkv.q)))


def floors(case: Case) -> dict[str, Callable[..., Any]]:
    """Overrides by name; queries and keys are (B, H, text and picture, d)."""
    text = case.text

    def shared(func: Any, q: Any, k: Any, v: Any, heads: int, **named: Any) -> Any:
        more = [torch.cat([x, x[:, :, text:]], 2) for x in (k, v)]
        plain = func(q[:, :, :text], k, v, heads, **named)
        return torch.cat([plain, func(q[:, :, text:], *more, heads, **named)], 1)

    def biased(func: Any, q: Any, k: Any, v: Any, heads: int, **named: Any) -> Any:
        bias = q.new_zeros(1, 1, case.tokens, k.shape[2])
        plain = func(q[:, :, :text], k, v, heads, **named)
        masked = func(q[:, :, text:], k, v, heads, **{**named, "mask": bias})
        return torch.cat([plain, masked], 1)

    def beside(func: Any, q: Any, k: Any, v: Any, heads: int, **named: Any) -> Any:
        for row in range(len(q)):
            logits = q[row, :, text:].float() @ k[row].float().transpose(-1, -2) / q.shape[-1] ** 0.5
            logits.softmax(-1).mean(0)
        return func(q, k, v, heads, **named)

    return {"shared keys": shared, "a bias": biased, "a softmax beside": beside}


def variants(case: Case) -> dict[str, Any]:
    model: Any = case.model
    made: dict[str, Any] = {"unpatched": model}
    every = family_of(model).layer_map().parse("all")
    for name, override in floors(case).items():
        made[f"floor: {name}"] = floor = model.clone()
        floor.model_options["transformer_options"]["optimized_attention_override"] = override
    recorder = Recorder(store=MapStore(), cross_layers=every, self_layers=every, self_max_tokens=None)
    return {
        **made,
        "StyleAligned": install(model, StyleAligned(layers=every)),
        "masks": install(model, Masks(tokens=case.tokens)),
        "recorder": install(model, recorder),
        "recorder, words": install(model, Recorder(store=MapStore(), cross_layers=every)),
    }


def counted(case: Case, patched: Any) -> int:
    """How often a run calls the model."""
    calls: list[int] = []
    clone = patched.clone()

    def count(apply_model: Any, args: dict[str, Any]) -> Any:
        calls.append(len(args["input"]))
        return apply_model(args["input"], args["timestep"], **args["c"])

    clone.set_model_unet_function_wrapper(count)
    case.run(clone)
    return len(calls)


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Ratios of all variants; a round before them warms up, and counts calls."""
    all_variants = variants(case)
    calls = {name: counted(case, patched) for name, patched in all_variants.items()}
    seconds = seconds_of({name: partial(case.run, made) for name, made in all_variants.items()}, rounds)
    of_floor = {name: f"floor: {floor}" for name, floor in FLOORS.items()}
    return {
        "tokens": [case.text, case.tokens],
        "images": case.images,
        "rounds": rounds,
        "calls": calls,
        "seconds unpatched": statistics.median(seconds["unpatched"]),
        "time": {name: ratio(times, seconds["unpatched"]) for name, times in seconds.items()},
        "over the floor": {name: ratio(seconds[name], seconds[floor]) for name, floor in of_floor.items()},
    }


def main() -> None:
    options = record.parser(__doc__, "a narrow model, one round").parse_args()
    found = measure(case(options.quick), 1 if options.quick else 3)
    rows = [
        [
            name,
            multiple(found["time"][name]),
            multiple(found["over the floor"].get(name)),
            found["calls"][name],
        ]
        for name in found["time"]
    ]
    print(record.table(["variant", "time", "over its floor", "calls"], rows))
    path = record.write("transformer_costs", found, options)
    print(f"\nwritten: {path.name}")


if __name__ == "__main__":
    main()
