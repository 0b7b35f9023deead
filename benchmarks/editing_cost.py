"""What edits cost: a source and three edits over four plain images, time and peak memory.

One step at pure noise, where all that a method edits is edited: Prompt-to-Prompt holds maps until 0.8 of the
schedule and shapes until 0.4, Plug-and-Play features until 0.8 and attention until 0.5, so that a whole run
costs less. Of Shape Variations the values are mixed from the first step on, and objects found by the maps of
each step; that they are cut into segments once in a run is not in it. On a CPU its own time is counted, which
others on the machine disturb least. Weights and prompts are random, which makes no difference to the cost.
"""

from typing import Any

from measure.setting import host

host.start()

from attention_control.attention_patches.contract.schedule import PercentRange  # noqa: E402
from attention_control.attention_patches.guests.guide import NoisedPicture  # noqa: E402
from attention_control.attention_patches.methods.plug_and_play.method import PlugAndPlay  # noqa: E402
from attention_control.attention_patches.methods.prompt_to_prompt.alignment import Taken  # noqa: E402
from attention_control.attention_patches.methods.prompt_to_prompt.blend import Blend  # noqa: E402
from attention_control.attention_patches.methods.prompt_to_prompt.edits import Edit  # noqa: E402
from attention_control.attention_patches.methods.prompt_to_prompt.method import PromptToPrompt  # noqa: E402
from attention_control.attention_patches.methods.shape_variations.finding import Named  # noqa: E402
from attention_control.attention_patches.methods.shape_variations.method import ShapeVariations  # noqa: E402
from attention_control.attention_patches.text.words import Word  # noqa: E402
from attention_control.nodes.edit.guide_inputs import AUTO, guide_places  # noqa: E402
from attention_control.nodes.host.families import family_of  # noqa: E402
from attention_control.nodes.host.run.install import install  # noqa: E402
from measure.pages import record  # noqa: E402  the host is found only now
from measure.setting.models import demo, noise, random_sd15  # noqa: E402
from overhead import measure  # noqa: E402

IMAGES = 4
TOKENS = 77
WORDS = (2, 5)  # tokens of the word that is changed, and of another


def variants(model: Any, prompts: Any, size: int) -> dict[str, Any]:
    """The model as it is, and with each method as its node has it by default."""
    every = family_of(model).layer_map().parse("all")
    taken = tuple(Taken((token,)) for token in range(TOKENS))
    edit = Edit(taken, (0.8,) * TOKENS, (1.0,) * TOKENS)
    edits = PromptToPrompt(layers=every, edits=(edit,) * (IMAGES - 1))
    blend = Blend((WORDS[:1],) * IMAGES, ((),) * IMAGES)
    blended = PromptToPrompt(layers=every, edits=edits.edits, blend=blend)
    guide = NoisedPicture(noise(model, size, size, seed=1))
    places = guide_places(model, guide, AUTO, AUTO)
    plugged = PlugAndPlay(
        guide=guide, layers=places.layers, features=places.residuals, guide_prompt=prompts[1]
    )
    named = Named((Word("object", WORDS[:1]), Word("other", WORDS[1:])))
    mixed = {"layers": every, "images": IMAGES, "shapes": PercentRange(0.0, 0.34), "named": named}
    return {
        "unpatched": model,
        "Prompt-to-Prompt": install(model, edits),
        "Prompt-to-Prompt, blend": install(model, blended),
        "Plug-and-Play": install(model, plugged),
        "Shape Variations": install(model, ShapeVariations(**mixed)),
    }


def main() -> None:
    parser = record.parser(__doc__, "the demo model only, small, one round")
    parser.add_argument("--rounds", type=int, default=3, help="behind one that warms up")
    parser.add_argument(
        "--cells", type=int, nargs="+", default=[32], help="of a side of the latents; 32 64: 512 px as well"
    )
    options = parser.parse_args()
    if options.quick:
        name, (model, prompts), sizes, rounds = "Pocket Diffusion", demo(IMAGES), [8], 1
    else:
        name, (model, prompts), sizes, rounds = "random SD1.5", random_sd15(), options.cells, options.rounds
    positive = [[prompts[0][0][0].expand(IMAGES, -1, -1), prompts[0][0][1]]]
    runs = []
    for size in sizes:
        made = variants(model, prompts, size)
        result = measure(name, made, (positive, prompts[1]), (IMAGES, size), 1, rounds)
        runs.append(result)
        print(f"{name}, latent {result['latent']}, {record.machine_class()}")
        rows = [
            [variant, f"{result['time'][variant]:.2f}x", f"{result['extra megabytes'][variant]:+.0f} MB"]
            for variant in result["time"]
        ]
        print(record.table(["variant", "time of a step", "peak memory"], rows), flush=True)
    print(f"written: {record.write('editing_cost', {'runs': runs}, options).name}")


if __name__ == "__main__":
    main()
