"""A spike must fail where the path of a real reading is broken, and a pass must not stand then.

Each probe with a spike is shown a clean target twice: as it is, and with its path broken. A new probe is held to this
without a line here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from guardrails.assay.audit.controls import control_subject, headline_threshold
from guardrails.assay.audit.findings import Reading, findings_of
from guardrails.assay.audit.plan import Settings
from guardrails.assay.audit.spikes import batches_to_spike, spike_kind, spike_outcome
from guardrails.assay.policy.policy import load_policy
from guardrails.bias.pairs.occupations import UNRELATED
from guardrails.core.asking import ask
from guardrails.core.batch import Batch
from guardrails.core.probe import Budget, Probe
from guardrails.core.registry import load_probe, probes
from guardrails.core.results import SpikeOutcome, Status
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.symbols.copied_symbols import SymbolicCopies
from guardrails.targets.estimator import EstimatorTarget
from guardrails.targets.language.causal_model import CausalTarget
from guardrails.targets.reference import ReferenceTranslator
from guardrails.targets.reference_chat import ReferenceChat
from guardrails.targets.spikes import SpikedEmbeddings

SPIKED = [name for name in probes() if load_probe(name).spike_what]
VOCABULARY = 4096


class Tiny(CausalTarget):
    """A model of `transformers` that has learnt nothing, over words."""

    name = "tiny"

    def __init__(self) -> None:
        import torch
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        shape = {"n_positions": 256, "n_embd": 8, "n_layer": 1, "n_head": 1}
        self._model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, **shape)).eval()
        self.words = {"<start>": 0, "<end>": 1}

    model = property(lambda self: self._model)
    start = property(lambda self: 0)
    end = property(lambda self: frozenset({1}))

    def encode(self, text: str) -> list[int]:
        return [self.words.setdefault(word, len(self.words)) for word in text.split()]

    def decode(self, tokens: Any) -> str:
        words = list(self.words)
        return " ".join(words[t] if t < len(words) else f"word{t}" for t in tokens if t > 1)

    def identity(self) -> dict[str, str]:
        return {}


class Sensible(Tiny):
    """As `Tiny`, but words that make no sense in a sentence are improbable: only of such a model are triples scored."""

    def __init__(self) -> None:
        import torch

        super().__init__()
        head = torch.nn.Linear(8, VOCABULARY)
        head.weight = self._model.lm_head.weight
        with torch.no_grad():
            head.bias.zero_()
            head.bias[self.encode(" ".join(UNRELATED))] = -5.0
        self._model.lm_head = head


def records() -> tuple[list[str], list[str]]:
    """Return two halves, split by chance, of what no model has read."""
    rng = np.random.default_rng(1)
    texts = [
        f"Person {i} of house number{i} lives by the sea and writes from person{i}@example.org since the code there is "
        f"{rng.integers(1000, 10000)} or so {' '.join(f'w{k}' for k in rng.integers(0, 400, 30))}"
        for i in rng.permutation(900)[:120]
    ]
    return texts[:60], texts[60:]


def pictures(seed: int, n: int = 300) -> list[Any]:
    from guardrails.kit.io import resize

    rng = np.random.default_rng(seed)
    return [resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (32, 32)) for _ in range(n)]


class Gallery:
    """A folder of pictures that nothing was copied into."""

    name, modality, access, available = "gallery", Modality.IMAGE, frozenset({Access.OUTPUTS}), 300

    def identity(self) -> dict[str, str]:
        return {}

    def sample_images(self, n: int, *, seed: int) -> list[Any]:
        return pictures(4)[:n]


def kind(probe: Probe) -> str:
    if any(control.source.startswith("reference:chat") for control in probe.controls):
        return "answers"
    if any(control.source.startswith("reference:translator") for control in probe.controls):
        return "translations"
    if isinstance(probe, SymbolicCopies):
        return "symbols"
    if any(control.source.startswith("labelled:") for control in probe.controls):
        return "labelled pictures"
    if Access.EMBEDDINGS in probe.requires:
        return "embeddings"
    if Access.PREDICTIONS in probe.requires:
        return "decisions"
    if Access.RETRAINING in probe.requires:
        return "classifier"
    return {Modality.TEXT: "text", Modality.IMAGE: "pictures", Modality.TABLE: "table"}[min(probe.modalities)]


@cache
def given(name: str) -> Subject:
    """Return a clean subject of the kind that a probe reads."""
    probe = load_probe(name)
    if kind(probe) == "text":
        corpus, holdout = records()
        return Subject(Sensible() if name == "bias.triples" else Tiny(), corpus=corpus, holdout=holdout)
    if kind(probe) == "pictures":
        return Subject(Gallery(), corpus=pictures(1), holdout=pictures(2), reference=pictures(3))
    return control_subject(next(c.source for c in probe.controls if c.expected == "clear"))


def outcome(name: str) -> tuple[SpikeOutcome, Status]:
    """Return how the spike of a probe comes out, and the finding."""
    probe, subject = load_probe(name), given(name)
    batches = probe.plan(subject, Budget.QUICK, seed=1)
    chosen = batches_to_spike(batches, probe.spiked_items)
    planted = probe.spike(subject, chosen, seed=2)
    assert planted is not None

    def rows(of: Subject, asked: list[Batch]) -> list[Any]:
        return [row for batch in asked for row in ask(probe, of, batch, seed=batch.index)]

    clean, threshold = rows(subject, batches), headline_threshold(probe)
    spiked = rows(planted, chosen)
    spike = spike_outcome(probe, clean, spiked, subject, threshold, seed=3, kind=spike_kind(planted.target))
    reading = Reading(probe, probe.measure(clean, subject, seed=3), spike=spike)
    findings = {f.id: f.status for f in findings_of(reading, load_policy("default"), Settings())}
    return spike, findings[f"{name}/{probe.headline}"]


Break = Callable[[pytest.MonkeyPatch, str], None]


def constant_probabilities(patch: pytest.MonkeyPatch, name: str) -> None:
    def score(self: Any, sequences: Any) -> Any:
        return [np.full(max(0, len(s) - 1), -1.0) for s in sequences]

    def moments(self: Any, sequences: Any) -> Any:
        return [np.tile([-1.0, -1.0, 1.0], (max(0, len(s) - 1), 1)) for s in sequences]

    patch.setattr(Tiny, "token_logprobs", score)
    patch.setattr(Tiny, "token_moments", moments)


def echoed_prompts(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.setattr(Tiny, "continue_tokens", lambda self, prefixes, *, n: [list(p)[:n] for p in prefixes])
    patch.setattr(Tiny, "generate", lambda self, prompts, **_: list(prompts))


def reversed_tokens(patch: pytest.MonkeyPatch, name: str) -> None:
    encode = Tiny.encode
    patch.setattr(Tiny, "encode", lambda self, text: encode(self, text)[::-1])


def closed_texts(patch: pytest.MonkeyPatch, name: str) -> None:
    whole = Tiny.encode
    patch.setattr(Tiny, "encode", lambda self, text: [*whole(self, text), VOCABULARY - 1])


def lost_digits(patch: pytest.MonkeyPatch, name: str) -> None:
    whole = Tiny.decode
    patch.setattr(Tiny, "decode", lambda self, tokens: re.sub(r"[0-9@]|\bby\b|\bw", "", whole(self, tokens)))


def blind_scanner(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.setattr("guardrails.privacy.personal_data.origins.scan", lambda text, finders=(): [])
    patch.setattr("guardrails.privacy.completion.completes", lambda *_, **__: False)


def constant_descriptor(patch: pytest.MonkeyPatch, name: str) -> None:
    from guardrails.memorization.pictures.copy_search import CopySearch

    whole = CopySearch.look_up
    patch.setattr(CopySearch, "look_up", lambda self, picture: whole(self, np.full_like(picture, 128)))


def other_pictures(patch: pytest.MonkeyPatch, name: str) -> None:
    """Open other files than those named."""
    from guardrails.kit.pictures import batches as kit
    from guardrails.memorization import inpainting

    strangers = iter(pictures(5, 2000))
    whole, squares = kit.fetch_pictures, inpainting.squares

    def fetch(target: Any, batch: Batch, read: Any, *, seed: int) -> Any:
        return whole(target, batch, lambda _: read(next(strangers)), seed=seed)

    for module in ("memorization.copies", "memorization.cliques", "memorization.data_copying", "quality.collapse"):
        patch.setattr(f"guardrails.{module}.fetch_pictures", fetch)
    patch.setattr(inpainting, "squares", lambda images: squares([next(strangers) for _ in images]))


def shifted_columns(patch: pytest.MonkeyPatch, name: str) -> None:
    """Read each number under the name of the column before it."""
    from guardrails.privacy.tables import attacked_rows

    whole = attacked_rows.read

    def read(synthetic: Any, corpus: Any, holdout: Any) -> Any:
        numbers = list(synthetic.select_dtypes("number").columns)
        shifted = synthetic.copy()
        shifted[numbers] = synthetic[numbers[1:] + numbers[:1]].to_numpy()
        for column in set(synthetic.columns) - set(numbers):
            shifted[column] = synthetic[column].sample(frac=1, random_state=0).to_numpy()
        return whole(shifted, corpus, holdout)

    patch.setattr(attacked_rows, "read", read)


def other_texts(patch: pytest.MonkeyPatch, name: str) -> None:
    subject = given(name)
    strangers = subject.target.sample_texts(len(subject.holdout), seed=99)
    patch.setattr(
        "guardrails.memorization.symbols.copied_symbols._texts",
        lambda target, batch, seed: [strangers[(seed + i) % len(strangers)] for i in range(len(batch.items))],
    )


def constant_answers(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.setattr(EstimatorTarget, "confidence", lambda self, table: np.full(len(table), 0.5))


def returned_prompts(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.setattr(ReferenceChat, "_answer", lambda self, prompt, rng: prompt)


def turned_decisions(patch: pytest.MonkeyPatch, name: str) -> None:
    """Read the decision about a row from the row three below it."""
    from guardrails.fairness.metrics import sources

    whole = sources._rows

    def rows(table: Any, groups: Any, predicted: Any, true: Any) -> Any:
        return whole(table, groups, [*predicted[3:], *predicted[:3]], true)

    patch.setattr(sources, "_rows", rows)


def constant_vectors(patch: pytest.MonkeyPatch, name: str) -> None:
    whole = SpikedEmbeddings.embed
    patch.setattr(SpikedEmbeddings, "embed", lambda self, texts: np.tile(whole(self, texts)[:1], (len(texts), 1)))


def returned_sentences(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.setattr(ReferenceTranslator, "generate", lambda self, prompts, **_: list(prompts))


def other_paintings(patch: pytest.MonkeyPatch, name: str) -> None:
    """Read the groups of other paintings than those that were made."""
    from guardrails.bias import images
    from guardrails.kit.pictures.batches import fetch_pictures

    strangers = iter(given(name).target.generator.reference_items(2000, seed=5))

    def fetch(target: Any, batch: Batch, read: Any, *, seed: int) -> Any:
        return fetch_pictures(target, batch, lambda _: read(next(strangers)), seed=seed)

    patch.setattr(images, "fetch_pictures", fetch)


BREAKS: dict[str, tuple[Break, ...]] = {
    "labelled pictures": (other_paintings,),
    "answers": (returned_prompts,),
    "translations": (returned_sentences,),
    "text": (constant_probabilities, echoed_prompts, closed_texts, lost_digits),
    "pictures": (other_pictures,),
    "table": (shifted_columns,),
    "symbols": (other_texts,),
    "classifier": (constant_answers,),
    "decisions": (turned_decisions,),
    "embeddings": (constant_vectors,),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner where a table has too few predicates to find."""
    monkeypatch.setattr("guardrails.privacy.tables.predicates.TRIES", 30)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", SPIKED)
def test_a_spike_is_seen_as_long_as_its_path_is_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, status = outcome(name)
    assert whole.smallest_dose is not None, whole.reason
    assert status in (Status.PASS, Status.INCONCLUSIVE)
    assert (whole.recovery is None) == (whole.kind == "instrument-check")
    for break_ in BREAKS[kind(load_probe(name))]:
        break_(monkeypatch, name)
    broken, status = outcome(name)
    assert broken.smallest_dose is None
    assert status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("name", "break_"),
    [
        ("privacy.completion", closed_texts),
        ("privacy.completion", lost_digits),
        ("privacy.completion", echoed_prompts),
        ("privacy.completion", blind_scanner),
        ("privacy.pii", blind_scanner),
        ("privacy.pii", lost_digits),
        ("memorization.overlap", lost_digits),
        ("memorization.extraction", echoed_prompts),
        ("memorization.extraction", reversed_tokens),
        ("memorization.exposure", constant_probabilities),
        ("membership.language-model", constant_probabilities),
        ("bias.counterfactual", constant_probabilities),
        pytest.param("memorization.copies", constant_descriptor, marks=pytest.mark.slow),
        ("privacy.linkability", shifted_columns),
        pytest.param("membership.reference-models", constant_answers, marks=pytest.mark.slow),
    ],
)
def test_each_part_of_the_path_that_is_broken_is_seen(
    name: str, break_: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_(monkeypatch, name)
    broken, status = outcome(name)
    assert broken.smallest_dose is None
    assert status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE)
