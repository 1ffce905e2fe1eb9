"""A probe calls no method that its access does not allow, and a target has every method that its access promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_origin

import pandas as pd
import pytest

from guardrails.core.probe import Probe
from guardrails.core.registry import load_probe, probes
from guardrails.core.targets import (
    Access,
    ChatTarget,
    ClassifierTarget,
    EmbeddingTarget,
    ImageTarget,
    LanguageModelTarget,
    Modality,
    PredictingTarget,
    RetrainableTarget,
    SoundTarget,
    TableTarget,
    Target,
    TextOutputs,
    TextTarget,
    VideoTarget,
)
from guardrails.targets import load_target, reference_subject
from guardrails.targets.callable import ChatFunction
from guardrails.targets.chat_texts import ChatTexts
from guardrails.targets.spikes import SpikedTexts, spiked_language_model
from guardrails.targets.white_box import WhiteBoxTarget

PROTOCOLS: dict[tuple[Modality, Access], Any] = {
    (Modality.TEXT, Access.OUTPUTS): TextOutputs,
    (Modality.TEXT, Access.SAMPLING): TextTarget,
    (Modality.TEXT, Access.CONVERSATIONS): ChatTarget,
    (Modality.TEXT, Access.LOGPROBS): LanguageModelTarget,
    (Modality.TEXT, Access.EMBEDDINGS): EmbeddingTarget,
    (Modality.IMAGE, Access.OUTPUTS): ImageTarget,
    (Modality.IMAGE, Access.WEIGHTS): WhiteBoxTarget,
    (Modality.VIDEO, Access.OUTPUTS): VideoTarget,
    (Modality.AUDIO, Access.OUTPUTS): SoundTarget,
    (Modality.TABLE, Access.OUTPUTS): TableTarget,
    (Modality.TABLE, Access.LOGPROBS): ClassifierTarget,
    (Modality.TABLE, Access.PREDICTIONS): PredictingTarget,
    (Modality.TABLE, Access.RETRAINING): RetrainableTarget,
}
"""What a target of a modality must offer where it gives this access: what `guardrails.core.targets` says of each."""


def protocol(probe: type[Probe]) -> Any:
    """Return the protocol that a class of probes names in brackets, itself or a class that it is made from."""
    bases = [base for cls in probe.__mro__ for base in vars(cls).get("__orig_bases__", ())]
    return next((get_args(base)[0] for base in bases if get_origin(base) is Probe), None)


def covered(probe: type[Probe]) -> bool:
    """Whether what the probe requires allows every method of the protocol, for each kind of target it looks at."""
    allowed = [[PROTOCOLS.get((m, access)) for access in probe.requires] for m in probe.modalities]
    return all(any(protocol(probe) in getattr(p, "__mro__", ()) for p in of_modality) for of_modality in allowed)


@pytest.mark.parametrize("name", list(probes()))
def test_what_a_probe_requires_allows_the_methods_of_its_protocol(name: str) -> None:
    probe = type(load_probe(name))
    assert protocol(probe) in PROTOCOLS.values()
    assert covered(probe)


def test_a_protocol_beyond_what_is_required_is_noticed() -> None:
    class Asks(Probe[LanguageModelTarget]):
        modalities = frozenset({Modality.TEXT})
        requires = frozenset({Access.OUTPUTS})

    class Untyped(Probe):
        modalities, requires = Asks.modalities, Asks.requires

    class Further(Asks):
        requires = frozenset({Access.OUTPUTS, Access.LOGPROBS})

    class BothKinds(Further):
        modalities = frozenset({Modality.TEXT, Modality.IMAGE})

    assert [covered(probe) for probe in (Asks, Untyped, Further, BothKinds)] == [False, False, True, False]


def targets(folder: Path) -> dict[str, Target]:
    """Return one target of each kind that needs no package beyond the library's own."""
    (folder / "texts.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n', encoding="utf-8")
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_csv(folder / "rows.csv", index=False)
    model: Any = load_target("reference:gpt-text")
    texts: Any = load_target(f"jsonl:{folder / 'texts.jsonl'}")
    return {
        "language model": model,
        "language model with a spike": spiked_language_model(model, ["to be known by heart " * 4]),
        "molecules": load_target("reference:ar-molecules"),
        "file of texts": texts,
        "file of texts with a spike": SpikedTexts(texts, ["planted"]),
        "function of prompts": load_target(lambda prompts: ["text"] * len(prompts)),
        "function of messages": ChatTexts(ChatFunction(lambda messages: "text", "python:f")),
        "embeddings": load_target("reference:vectors,association=1"),
        "pictures": load_target("reference:vae-medical"),
        "real pictures": load_target("real:vae-medical"),
        "videos": load_target("reference:faceswap,output=video"),
        "recordings": load_target("reference:voice"),
        "rows": load_target("reference:tabular"),
        "file of rows": load_target(f"table:{folder / 'rows.csv'}"),
        "classifier": reference_subject("classifier:tabular,overfit=1").target,
        "private classifier": reference_subject("classifier:tabular,private=1").target,
    }


def test_a_target_has_the_methods_that_its_access_promises(tmp_path: Path) -> None:
    seen = set()
    for name, target in targets(tmp_path).items():
        for access in target.access:
            if (kind := (target.modality, access)) in PROTOCOLS:
                seen.add(kind)
                assert isinstance(target, PROTOCOLS[kind]), (name, access)
    assert seen == set(PROTOCOLS)
