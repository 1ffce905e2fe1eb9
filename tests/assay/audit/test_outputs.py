"""A target that mostly writes nothing passes nothing: every kind of target, several batches at a time, and resumed."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guardrails.assay.audit.engine import Series, collected, write_down
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.outputs import Outputs, counted, is_blank
from guardrails.assay.audit.worker import Worker
from guardrails.assay.meter import Meter
from guardrails.core.batch import Batch, Row
from guardrails.core.conversations import Reply
from guardrails.core.results import AuditResult, Finding, Use
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, stored_texts, takes_prompts
from guardrails.targets.chat_texts import ChatTexts

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import say
from .. import fakes

SIZE = 200


class Reads(fakes.FakeProbe):
    """Counts the outputs that say yes."""

    size = SIZE
    requires = frozenset({Access.OUTPUTS})

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        target: Any = subject.target
        if isinstance(target, fakes.FakeTarget):
            return super().collect(subject, batch, seed=seed)
        questions = [item.fields["question"] for item in batch.items]
        if takes_prompts(target):
            texts = target.generate([str(q) for q in questions], max_new_tokens=4, seed=seed)
        elif target.available is None:
            texts = target.sample_texts(len(questions), seed=seed)
        else:
            stored = stored_texts(target)
            texts = [stored[q] for q in questions]
        return [{"item": item.id, "yes": text == "yes"} for item, text in zip(batch.items, texts, strict=True)]


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.install_one(monkeypatch, Reads, tmp_path)


def only(result: AuditResult) -> Finding:
    (finding,) = result.findings
    return finding


def written(prompt: Any, blank: int, text: str = "no", nothing: str = "") -> str:
    """Return nothing for so many of the prompts 0, 1, … up to `SIZE`."""
    try:
        return nothing if int(prompt) < blank else text
    except ValueError:  # "The" and "A", with which a callable is tried
        return text


def modules(monkeypatch: pytest.MonkeyPatch, **names: Any) -> None:
    monkeypatch.setitem(sys.modules, "guardrails_test_writers", SimpleNamespace(**names))  # type: ignore[misc]


def target_of(kind: str, blank: int, monkeypatch: pytest.MonkeyPatch, server: fault_server.Server) -> Any:
    """Return a target of a kind of which so many of `SIZE` outputs are blank."""
    if kind == "chat:python":
        modules(monkeypatch, answer=lambda messages: written(messages[0]["content"], blank))
        return "chat:python:guardrails_test_writers:answer"
    if kind == "python":
        modules(monkeypatch, write=lambda prompts: [written(p, blank, nothing=" \n\u200b") for p in prompts])
        return "python:guardrails_test_writers:write"
    if kind == "python without prompts":
        left = iter([*[""] * blank, *["no"] * SIZE])

        class Sampler:
            def sample(self, n: int) -> list[str]:
                return ["no"] * n if n == 2 else [next(left) for _ in range(n)]  # two are a trial

        return Sampler()
    if kind == "jsonl":
        lines = [json.dumps({"text": written(i, blank)}) for i in range(SIZE)]
        Path("outputs.jsonl").write_text("\n".join(lines))
        return "jsonl:outputs.jsonl"
    fault = say("") if kind == "openai, empty" else say(None, refusal="I will not.")
    server.faults = {str(i): [fault] for i in range(blank)}
    return f"openai:{server.url}#m"


@pytest.fixture
def server() -> Iterator[fault_server.Server]:
    with fault_server.running() as running:
        running.always = say("no")
        yield running


KINDS = ("chat:python", "python", "python without prompts", "jsonl", "openai, empty", "openai, refused")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "blank", "status"),
    [("chat:python", 0, "pass"), ("chat:python", 100, "pass"), ("chat:python", 101, "not-assessed")]
    + [(kind, blank, status) for kind in KINDS for blank, status in ((80, "pass"), (120, "not-assessed"))],
)
def test_more_than_half_of_the_outputs_hold_an_answer_or_there_is_no_pass(
    kind: str, blank: int, status: str, monkeypatch: pytest.MonkeyPatch, server: fault_server.Server
) -> None:
    result, _ = run_audit(target_of(kind, blank, monkeypatch, server), out="run")
    finding, what = only(result), "refusals" if kind == "openai, refused" else "empty"
    said = f"{blank} of 200 outputs are {what}"
    assert (finding.status, result.verdict, result.exit_code) == (status, status, 0 if status == "pass" else 3)
    assert finding.measurement is not None
    assert (finding.measurement.value, finding.measurement.n, finding.measurement.errors) == (0, 200, 0)
    assert (said in finding.measurement.explanation) == (blank > 0)
    assert (finding.reason or "").startswith(said) == (status == "not-assessed")
    assert [c.observed for c in finding.controls] == ["found", "clear"]
    assert result.timing.cost is not None
    used = result.timing.cost.per_probe[Reads.id].reading
    assert (used.outputs, used.empty + used.refused) == (200, blank)


def test_what_a_target_shows_between_empty_outputs_is_a_failure_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    modules(monkeypatch, answer=lambda messages: written(messages[0]["content"], 120, "yes"))
    result, _ = run_audit("chat:python:guardrails_test_writers:answer", out="run")
    assert (only(result).status, result.exit_code) == ("fail", 1)
    assert only(result).measurement.explanation == "120 of 200 outputs are empty."  # type: ignore[union-attr]


@pytest.mark.parametrize(("same", "status"), [(101, "pass"), (140, "not-assessed"), (SIZE, "not-assessed")])
@pytest.mark.parametrize("text", ["None", "👍", "0\n"])
def test_a_target_that_writes_one_text_whatever_it_is_asked_passes_nothing(
    same: int, status: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(messages: list[dict[str, str]]) -> str:
        question = messages[0]["content"]
        return written(question, same, f"about {question}", text)

    modules(monkeypatch, answer=answer)
    monkeypatch.setattr(Reads, "closed_answers", False)
    result, _ = run_audit("chat:python:guardrails_test_writers:answer", out="run")
    assert (only(result).status, result.exit_code) == (status, 0 if status == "pass" else 3)
    assert ("outputs repeat another one, or their prompt" in (only(result).reason or "")) == (status == "not-assessed")
    monkeypatch.setattr(Reads, "closed_answers", True)
    result, _ = run_audit("chat:python:guardrails_test_writers:answer", out="closed")
    assert only(result).status == "pass"


@pytest.mark.parametrize("echo", [str, "  {}\n".format, "The question was: {}".format])
def test_a_target_that_writes_its_prompt_passes_nothing(echo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(monkeypatch, answer=lambda messages: echo(messages[0]["content"]))
    monkeypatch.setattr(Reads, "closed_answers", False)
    result, _ = run_audit("chat:python:guardrails_test_writers:answer", out="run")
    passed = echo("0").strip() != "0"
    assert (only(result).status, result.exit_code) == (("pass", 0) if passed else ("not-assessed", 3))
    assert passed or (only(result).reason or "").startswith("200 of 200 outputs repeat")


def test_repeats_are_those_of_one_text_and_echoes() -> None:
    outputs = Outputs()
    for output in ["a", " a\n", "b", "", "b", [1, 2], "a"]:
        outputs.add(output, "what?")
    assert outputs.use() == Use(outputs=7, empty=1, repeated=2)
    for output, prompt in [("who  is it\n", "who is it"), ("so", "so"), ("so", "so?"), ("", ""), ("so", None)]:
        outputs.add(output, prompt)
    assert outputs.use() == Use(outputs=12, empty=2, repeated=4)


class CutError(Exception):
    pass


@pytest.mark.parametrize("blank", [80, 120])
def test_a_resumed_run_counts_what_was_written_before(
    blank: int, monkeypatch: pytest.MonkeyPatch, server: fault_server.Server
) -> None:
    def cut(step: Any) -> None:
        nonlocal left
        left -= step.label.endswith("|target")
        if not left:
            raise CutError

    target, left = target_of("chat:python", blank, monkeypatch, server), 13
    with pytest.raises(CutError):
        run_audit(target, out="run", progress=cut)
    resumed, _ = run_audit(target, resume="run")
    whole, _ = run_audit(target, out="whole")
    for result in (resumed, whole):
        assert f"{blank} of 200 outputs are empty" in only(result).measurement.explanation  # type: ignore[union-attr]
        assert only(result).status == ("pass" if blank == 80 else "not-assessed")


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 16])
def test_batches_at_the_same_time_are_counted_apart(at_once: int, server: fault_server.Server) -> None:
    server.faults = {str(i): [say("", wait=0.001 * (i % 7))] for i in range(120)}
    result, _ = run_audit(f"openai:{server.url}#m", endpoint={"concurrency": at_once}, out="run")
    assert (only(result).reason or "").startswith("120 of 200 outputs are empty")


def test_another_process_sends_its_counts_with_the_rows(tmp_path: Path) -> None:
    class Quiet(fakes.FakeTarget):
        available = None

        def generate(self, prompts: Sequence[str], **_: Any) -> list[str]:
            return ["", *["no"] * (len(prompts) - 1)]

    class AsksAlone(Reads):
        def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
            texts = subject.target.generate(["?"] * len(batch.items))  # type: ignore[attr-defined]
            return [{"item": item.id, "yes": text == "yes"} for item, text in zip(batch.items, texts, strict=True)]

    probe, subject = AsksAlone(), Subject(Quiet(0.0))
    series = Series("fake.yes|target", probe, lambda: subject, 0)
    batches = probe.plan(subject, None, seed=0)  # type: ignore[arg-type]
    worker = object.__new__(Worker)
    worker._series, worker._meter = {series.name: series}, Meter()
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.add_plan([(series.name, batches)], {})
        sent = ((series, pickle.loads(pickle.dumps(worker.collect(series.name, batch)))) for batch in batches)
        assert write_down(sent, journal, log=tmp_path / "log", meter=Meter()) == {}
        used = journal.used(series.name)
    assert (used.items, used.outputs, used.empty) == (200, 200, 20)


def test_rows_are_those_of_a_target_that_is_not_counted() -> None:
    class Model:
        name = "model"

        def identity(self) -> dict[str, str]:
            return {}

        def reply(self, conversations: Any, decoding: Any, seed: int) -> list[Reply]:
            return [Reply("yes", "refused") if i % 2 else Reply("yes") for i, _ in enumerate(conversations)]

    probe, subject = Reads(), Subject(ChatTexts(Model()))
    (batch, *_) = probe.plan(subject, None, seed=0)  # type: ignore[arg-type]
    done = collected(Series("fake.yes|target", probe, lambda: subject, 0), batch)
    assert json.dumps(done.rows) == json.dumps(probe.collect(subject, batch, seed=0))
    assert done.outputs == Use(outputs=10, refused=5, repeated=4)


def test_of_stored_texts_those_are_counted_that_are_looked_at(tmp_path: Path) -> None:
    from guardrails.targets.files import JsonlTarget

    (tmp_path / "outputs.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in ["", "a", " ", "b"]))
    outputs = Outputs()
    target: Any = counted(Subject(JsonlTarget(tmp_path / "outputs.jsonl")), outputs).target
    assert (target.outputs()[2], outputs) == (" ", Outputs(1, 1))
    assert (target.outputs()[:2], outputs) == (["", "a"], Outputs(3, 2))
    assert (sorted(target.sample_texts(4, seed=0)), outputs) == (["", " ", "a", "b"], Outputs(7, 4))


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u3000", "\u200b\ufeff", "\0", "\u3164", "\u2800\ufe0f"])
def test_white_space_and_what_nobody_sees_are_blank(text: str) -> None:
    assert is_blank(text)
    assert is_blank(f"{text}.{text}.")
    assert not is_blank(f"{text}a{text}")


@pytest.mark.parametrize("text", ["```\n```", "=====", "~ ~", "$", "|||", "^", "+", "\ufffd\ufffd"])
def test_marks_that_unicode_calls_symbols_are_no_answer_either(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}a")
    assert not is_blank(f"{text}7")


@pytest.mark.parametrize(("text", "blank"), [("…", True), ("--- --", True), ("7", False), (":)", False), ("👍", False)])
def test_one_punctuation_mark_is_no_answer(text: str, blank: bool) -> None:
    assert is_blank(text) == blank


@pytest.mark.slow
@pytest.mark.parametrize(("ends", "status"), [(True, "not-assessed"), (False, "pass")])
def test_a_model_that_ends_at_once_passes_nothing(ends: bool, status: str, tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path / "model"
    words = {word: i for i, word in enumerate(["<end>", "<unk>", "cat", "dog"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)
    ids: dict[str, int] = {"bos_token_id": 0, "eos_token_id": 0}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=4, n_positions=16, n_embd=4, n_layer=1, n_head=1, **ids))
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(torch.tensor([9.0, 0, 0, 0]))  # after whatever, the same token follows
        model.transformer.wte.weight[:, 0] = torch.tensor([9.0, 0, 0, 0] if ends else [0, 0, 9.0, 0])
    model.save_pretrained(folder)
    result, _ = run_audit(f"hf:{folder}", out="run")
    assert only(result).status == status
    assert (only(result).reason or "").startswith("200 of 200 outputs are empty") == ends
    from guardrails.targets.huggingface import HuggingFaceTarget

    outputs = Outputs()
    target: Any = counted(Subject(HuggingFaceTarget(folder)), outputs).target
    target.continue_tokens([[2], [3]], n=3)
    assert outputs == Outputs(2, 2 if ends else 0)
