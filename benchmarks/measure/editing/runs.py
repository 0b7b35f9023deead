"""One source and its edits on the demo model: each way to make them is one run of the host."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import comfy.sample
import comfy.samplers
import torch
from attention_control.demo_model.world import BACKGROUNDS
from attention_control.nodes.edit.plug_and_play_node import PlugAndPlay
from attention_control.nodes.edit.prompt_to_prompt_node import PromptToPrompt
from attention_control.nodes.edit.shape_variations_node import ShapeVariations
from attention_control.nodes.host.text.prompt_batch import encode_rows
from attention_control.nodes.inversion.invert_latent_node import InvertLatent
from comfy_api.latest import io
from torch import Tensor

from measure.editing.cases import NOUN, Case
from measure.editing.sources import CFG, SAMPLER, SCHEDULER, Source, noise_of

OTHER_NOISE = 1_000_003  # img2img has noise of its own


def defaults(node: Any) -> dict[str, Any]:
    """The inputs of a node that have one."""
    inputs = node.define_schema().inputs
    return {x.id: x.default for x in inputs if getattr(x, "default", None) is not None}


def prepared(node: Any) -> Any:
    """A node as the host runs it."""
    return node.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.unique_id: None}})


@dataclass(frozen=True)
class Bench:
    """One case on the demo model (MODEL, CLIP, VAE), its source sampled or rendered."""

    demo: Any
    case: Case
    source: Source
    steps: int

    @cached_property
    def sigmas(self) -> Tensor:
        sampling = self.demo[0].get_model_object("model_sampling")
        found: Tensor = comfy.samplers.calculate_sigmas(sampling, SCHEDULER, self.steps)
        return found

    def plain(self) -> Tensor:
        """The edited prompts alone, with the source's noise."""
        noise = noise_of(self.demo, self.case.seed).repeat(len(self.case.edits), 1, 1, 1)
        return self._run(self.demo[0], self._edits(), noise, torch.zeros_like(noise))

    def prompt_to_prompt(self, **settings: Any) -> Tensor:
        """The node with its defaults, on the source's noise."""
        model, positive, latent = self._edited(None, settings)
        noise = comfy.sample.prepare_noise(latent["samples"], self.case.seed, latent["batch_index"])
        return self._run(model, positive, noise, latent["samples"])[1:]

    def of_the_picture(self, **settings: Any) -> Tensor:
        """The node on the source's inversion under its own prompt."""
        inversion = self._inverted(self.case.prompt)
        model, positive, latent = self._edited(inversion, settings)
        noise = torch.zeros_like(latent["samples"])
        return self._run(model, positive, noise, latent["samples"], inversion.sigmas)[1:]

    def plug_and_play(self, **settings: Any) -> Tensor:
        """The node on the source's inversion under an empty prompt, as in the paper."""
        empty = encode_rows(self.demo[1], [""])
        given = {**defaults(PlugAndPlay), "guide_prompt": empty, **settings}
        node = prepared(PlugAndPlay)
        model, sampler, sigmas, latent = node.execute(self.demo[0], self._inverted(""), **given).args
        start = latent["samples"].repeat(len(self.case.edits), 1, 1, 1)
        return self._run(model, self._edits(), torch.zeros_like(start), start, sigmas, sampler)

    def shape_variations(self, **settings: Any) -> Tensor:
        """The node on the source's noise, with the edits' nouns as proxies of the first subject's."""
        noun = self.case.scene.subjects[0].noun
        words = {
            "prompt": self.case.prompt.replace(noun, f"{{{noun}}}", 1),
            "proxies": "\n".join(look[NOUN] for look in self.case.wanted),
            "background_words": BACKGROUNDS[self.case.scene.background].split()[-1],
        }
        given = {**defaults(ShapeVariations), **words, **settings}
        node = prepared(ShapeVariations)
        model, positive, latent, *_ = node.execute(
            *self.demo[:2], **given, latent={"samples": torch.zeros_like(self.source.latent)}
        ).args
        noise = comfy.sample.prepare_noise(latent["samples"], self.case.seed, latent["batch_index"])
        return self._run(model, positive, noise, latent["samples"])[1:]

    def img2img(self, percent: float) -> Tensor:
        """The host's own: the source, given noise up to a point of the schedule, under the edited prompts."""
        start = self.source.latent.repeat(len(self.case.edits), 1, 1, 1)
        sampling = self.demo[0].get_model_object("model_sampling")
        first = int((self.sigmas > float(sampling.percent_to_sigma(percent))).sum())
        noise = noise_of(self.demo, self.case.seed + OTHER_NOISE).expand_as(start)
        return self._run(self.demo[0], self._edits(), noise, start, self.sigmas[first:])

    def _edits(self) -> Any:
        return encode_rows(self.demo[1], self.case.weighed)

    def _edited(self, inversion: Any, settings: dict[str, Any]) -> tuple[Any, Any, Any]:
        given = {**defaults(PromptToPrompt), **self.case.settings, **settings}
        given |= {"source_prompt": self.case.prompt, "edit_prompts": "\n".join(self.case.edits)}
        latent = None if inversion is not None else {"samples": torch.zeros_like(self.source.latent)}
        node = prepared(PromptToPrompt)
        model, positive, start, *_ = node.execute(
            *self.demo[:2], **given, latent=latent, inversion=inversion
        ).args
        return model, positive, start

    def _inverted(self, prompt: str) -> Any:
        model, clip, _ = self.demo
        positive, latent = encode_rows(clip, [prompt]), {"samples": self.source.latent}
        return InvertLatent.execute(model, positive, latent, "ddim", SCHEDULER, self.steps, 1.0, 0).args[0]

    def _run(
        self,
        model: Any,
        positive: Any,
        noise: Tensor,
        latent: Tensor,
        sigmas: Tensor | None = None,
        sampler: Any = None,
    ) -> Tensor:
        samples = comfy.sample.sample_custom(
            model,
            noise,
            CFG,
            sampler or comfy.samplers.sampler_object(SAMPLER),
            self.sigmas if sigmas is None else sigmas,
            positive,
            encode_rows(self.demo[1], [""]),
            latent,
            disable_pbar=True,
            seed=self.case.seed,
        )
        decoded: Tensor = self.demo[2].decode(samples)
        return decoded
