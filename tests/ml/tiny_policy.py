"""A rewriting policy of a few thousand random weights with a real tokenizer, so that tests need no packaged model."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ml.partner import smollm
from ml.partner.corpus import Lesson
from ml.releases import sha256_of

POST = "My sister moved away last week and the house is so quiet now that I cannot sleep."
SAID = (
    POST,
    "I am so sorry, that must be hard. It sounds lonely. What do you miss most about her?",
    "Try to go out more. You will be fine. Call her on Sunday and tell her how it is.",
    "\nCare:\nUnderstand:\nAsk:(nothing yet)...",
)
LESSONS = (
    Lesson(
        "home",
        "plain",
        POST,
        ("You will get used to it.", "Call her on Sunday. It helps."),
        ("I am so sorry that she moved away.", "My heart goes out to you tonight."),
        ("The house must feel so empty now.", "It sounds lonely without your sister."),
        ("What do you miss most about her?", "How are the evenings for you now?"),
    ),
    Lesson(
        "work",
        "plain",
        "They gave my desk to somebody else while I was away ill, and nobody told me.",
        ("Ask them why.", "Things like that happen. You will find a new desk."),
        ("I am sorry that nobody told you.", "I feel for you, coming back to that."),
        ("It must have hurt to see your desk gone.", "That sounds as if you did not count."),
        ("What did you do when you saw it?", "Who could you talk to about it?"),
    ),
)


@cache
def tokenizer() -> Any:
    """Byte-level BPE, as SmolLM2 has it, of some three hundred tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    found.train_from_iterator(SAID, trainer)
    return found


def tokens() -> Any:
    from ml.partner.policy import Tokens

    return Tokens(tokenizer())


def language_model(seed: int = 1) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)  # networks this small would only wait for their own threads, on a busy machine for long
    torch.manual_seed(seed)
    shape = LlamaConfig(
        vocab_size=tokenizer().get_vocab_size(),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    network: Any = LlamaForCausalLM(shape)
    return network.eval()


def policy(seed: int = 1, *, rank: int = 4) -> Any:
    """A policy whose adapters do something."""
    import torch

    from ml.partner.policy import Policy, PolicyConfig

    found = Policy(language_model(seed), PolicyConfig(rank=rank, alpha=8.0)).eval()
    with torch.no_grad():
        for name, value in found.trained().items():
            if name.endswith(".up"):
                value.normal_(std=0.1)
    return found


def converted(root: Path) -> Path:
    """A language model laid out as `python -m ml.partner prepare` lays out SmolLM2; `root` is the model cache."""
    folder = smollm.cache(root)
    language_model().save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    files = {name: sha256_of(folder / name) for name in smollm.FILES}
    (folder / smollm.MANIFEST).write_text(json.dumps({"source": smollm.GGUF_SHA256, "files": files}))
    return folder
