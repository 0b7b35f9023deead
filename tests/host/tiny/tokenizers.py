"""Tokenizers whose vocabularies come with a checkpoint, made of one sentence, in the host's own classes."""

import io
from functools import cache
from unittest.mock import patch

import comfy.text_encoders.flux
import sentencepiece
import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Bytes
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

SENTENCE = "two blue birds, a red fox at night and a red hat on the image of a cat"
SPECIAL = ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")


@cache
def trained() -> torch.Tensor:
    """A model of SentencePiece that spells what it does not know in bytes, as those of UMT5 and Gemma do."""
    written = io.BytesIO()
    special = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([SENTENCE]),
        model_writer=written,
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
        **special,
    )
    return torch.frombuffer(bytearray(written.getvalue()), dtype=torch.uint8)


def mistral() -> comfy.text_encoders.flux.Flux2Tokenizer:
    """Flux.2's, with letters for a vocabulary. The host reads a checkpoint's by a class of `transformers`
    that takes other arguments in some versions; what it makes of it is given in its place."""
    symbols = [*SPECIAL, *sorted(ByteLevel.alphabet()), "re", "red"]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    tokens = Tokenizer(BPE(vocab=vocabulary, merges=[("r", "e"), ("re", "d")]))
    tokens.pre_tokenizer, tokens.decoder = ByteLevel(add_prefix_space=False), Bytes()
    tokens.add_special_tokens(list(SPECIAL))
    made = {"tokenizer_object": tokens, "legacy": False}
    with patch.object(comfy.text_encoders.flux, "load_mistral_tokenizer", lambda data: made):
        return comfy.text_encoders.flux.Flux2Tokenizer()
