"""The node that encodes one prompt per image of a batch."""

from typing import Any

from comfy_api.latest import io

from ..host.text.prompt_batch import encode_rows, prompt_lines


class EncodePromptBatch(io.ComfyNode):
    """Prompts, one per line, as one conditioning with a row for each image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs and outputs, as the host shows them."""
        return io.Schema(
            node_id="EncodePromptBatch",
            display_name="Encode Prompt Batch",
            category="attention control/style",
            description=(
                "Encodes several prompts into one conditioning: the first image of the batch gets the first "
                "prompt, and so on. Connect `count` to the batch size of the empty latent."
            ),
            search_aliases=["prompts per image", "batch prompts", "style aligned prompts"],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip=(
                        "The model's text encoder. SD1.5, SD2, SDXL, Flux.1, Flux.2, SD3, Qwen-Image, "
                        "Cosmos-Predict2, Wan, AuraFlow and HiDream take prompts of any lengths; Z-Image, "
                        "Lumina 2, Chroma, Krea 2 and HunyuanImage of equal ones; Anima one for all."
                    ),
                ),
                io.String.Input(
                    "prompts",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip=(
                        "One prompt per line, one line per image. Blank lines are skipped. Weights such as "
                        "(red:1.2) and embeddings work as in CLIP Text Encode."
                    ),
                ),
                # No dynamic prompts here: the browser would take {} for an empty choice and remove it.
                io.String.Input(
                    "style",
                    default="",
                    tooltip=(
                        "Text for every prompt. It follows after a comma, or, if it contains {}, the prompt "
                        "is put there: `a clay figure of {}, soft light`. Empty: prompts stay as they are."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(tooltip="One row per prompt, all of the length of the longest."),
                io.Int.Output(display_name="count", tooltip="The number of prompts: use it as batch size."),
            ],
        )

    @classmethod
    def execute(cls, clip: Any, prompts: str, style: str) -> io.NodeOutput:
        """The rows and their number."""
        lines = prompt_lines(prompts, style)
        return io.NodeOutput(encode_rows(clip, lines), len(lines))
