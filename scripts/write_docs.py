"""Writes the pages of docs/ on probes, generators and frameworks from the classes and policies themselves."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from generators.base import Generator, generators
from guardrails.assay.audit.options import SHORT
from guardrails.assay.policy.policy import Policy, load_policy, policy_names
from guardrails.core.control import Control
from guardrails.core.detector import Detector
from guardrails.core.probe import Probe
from guardrails.core.registry import detectors, probes

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CARDS_FILE = ROOT / "guardrails" / "deepfake" / "detector_cards.json"
PROBES = """\
# Probes and detectors

A **probe** is an experiment on a target and answers one question about it. A **detector** scores single items. The
results of either count only if it passes its controls: it must find the known positives below and raise no alarm on the
known negatives. The thresholds are those of the `default` policy, with their origin.

`make docs` writes this page from the docstrings and class attributes; `guardrails list probes` is the short form.
"""


GENERATORS = """\
# Reference generators

Small generative models that ship with the library: without a fault, and with each of their faults at several doses. The
weights have learnt the fault. At dose 0 it is absent, at 1 it is full; only the doses below exist, one fault at a time.
The generators are targets (`guardrails audit reference:NAME,DIAL=DOSE`) and the controls of every probe, and you can
use them to test other tools (`guardrails generate`). A card next to the weights of each dose states the data, the seed,
the command, how often each training item was seen, and the true values, computed from these weights; the tables below
are taken from the cards. `guardrails train generator NAME` trains the weights again and prints the results next to the
shipped ones.

Two generators are **reserved**: no detector is ever trained on their outputs. The photographs that scikit-learn ships
are reserved too.

`python scripts/sample_sheets.py` makes the pictures.

`make docs` writes this page from the docstrings and class attributes; `guardrails list generators` is the short form.
"""


COVERAGE = """\
# Coverage of frameworks

What the probes of this version can evidence of each control, and what they cannot. **Evidence, not legal advice**: see
[policies for frameworks](policies.md#policies-for-frameworks).

`make docs` writes this page from the shipped policies; `guardrails policy coverage NAME` prints the same.
"""


CARDS = """\
# Detector cards

Memory and time of each detector, the kinds of pictures that it gives verdicts on, and what these verdicts are worth on
sources that its calibration has not seen. The figures are in `guardrails/deepfake/detector_cards.json`; how each
detector was trained is in its card in `guardrails/deepfake/weights`.

`python scripts/write_detector_cards.py` measures, `make docs` writes this page.

## Memory and time

One thread of one process. Time is processor time, so it depends on the machine; the ratio to reading the same file with
the library's own reader, in turns in the same process, depends on it less. Both are medians with the least and largest
value. Memory is the peak of the process; in parentheses, after reading alone.
"""
LEFT_OUT = """
## Sources and families left out

Photographs without a face, each as it is and after one random crop, resize and encoding. Each source and each family is
left out of the calibration in turn, and judged by it; no head learnt from any of them. The share is a mean over sources
or families. The calibration error is that of the likelihood ratios, debiased; its interval is over sources and
families. Pictures with a face and drawings get no ratio and no verdict, so they have neither false alarms nor a
calibration error.
"""


def pages() -> dict[Path, str]:
    """Return the text of each page."""
    parts = [PROBES]
    parts += [section for probe in probes().values() for section in _probe(probe)]
    parts += [section for detector in detectors().values() for section in _detector(detector)]
    models = [GENERATORS, *(section for cls in generators().values() for section in _generator(cls))]
    covered = [COVERAGE, *(section for name in policy_names() for section in _coverage(load_policy(name)))]
    cards = [CARDS, *_cards(json.loads(CARDS_FILE.read_text(encoding="utf-8")))]
    texts = {"probes": parts, "generators": models, "framework-coverage": covered, "detector-cards": cards}
    return {DOCS / f"{name}.md": "\n".join(text) for name, text in texts.items()}


def _cards(cards: Mapping[str, Any]) -> Iterator[str]:
    """Costs, kinds, and verdicts on what was left out."""
    costs = {name: card["cost"] for name, card in sorted(cards.items())}
    for items in dict.fromkeys(cost["items"] for cost in costs.values()):
        these = {name: cost for name, cost in costs.items() if cost["items"] == items}
        one = next(iter(these.values()))
        yield f"{_sentence(f'{items[0].upper()}{items[1:]}')} n = {one['n']}, {one['rounds']} times each.\n"
        yield "| detector | seconds | times reading alone | seconds of the first, loading included | memory, MiB |"
        yield "|---|---|---|---|---|"
        for name, cost in these.items():
            seconds, ratio = (_spread(cost[key]) for key in ("seconds", "times reading alone"))
            first = cost["seconds of the first item, loading included"]
            yield f"| `{name}` | {seconds} | {ratio} | {first:g} | {cost['MiB']} ({cost['MiB of reading alone']}) |"
        yield ""
    judged = {name: card for name, card in sorted(cards.items()) if "kinds" in card}
    yield from _kinds(judged)
    yield LEFT_OUT
    yield "| detector | items | scores | synthetic | nothing found | abstained | share called synthetic |"
    yield "|---|---|---|---|---|---|---|"
    for name, card in judged.items():
        for side, units in (("real", "sources"), ("generated", "families")):
            of = card["sources and families left out"][side]
            counts = of["verdicts"]
            columns = [sum(counts.values()), *(counts[v] for v in ("synthetic", "nothing found", "abstain"))]
            items, share = f"{side}, {of[units]} {units}", _three(of["called synthetic"])
            yield f"| `{name}` | {items} | {' | '.join(map(str, columns))} | {share} |"
    yield ""
    for name, card in judged.items():
        of = card["sources and families left out"]
        worst = of["real"]["worst source"]
        yield (
            f"- `{name}`: calibration error {_three(of['calibration error'])}, n = {of['scores']} scores; largest share"
            f" of a source {worst['called synthetic']:g} ({worst['source']}, n = {worst['scores']})."
        )
    yield ""


def _kinds(cards: Mapping[str, Any]) -> Iterator[str]:
    yield "## Kinds of pictures\n"
    yield "The shipped detectors that are not in this table give no verdict on any item; each says why in its rows.\n"
    yield "| detector | kind | real sources | families | ratios that these support | verdicts that they support |"
    yield "|---|---|---|---|---|---|"
    for name, card in cards.items():
        for kind, of in card["kinds"].items():
            if of is None:
                yield f"| `{name}` | {kind} | none | none | none | none |"
                continue
            low, high = of["ratios"]
            verdicts = ", ".join(of["verdicts"])
            yield f"| `{name}` | {kind} | {of['sources']} | {of['families']} | {low} to {high} | {verdicts} |"


def _spread(of: Mapping[str, float]) -> str:
    return f"{of['median']:g} [{of['least']:g}, {of['most']:g}]"


def _three(of: Mapping[str, float]) -> str:
    return f"{of['value']:.2f} [{of['low']:.2f}, {of['high']:.2f}]"


def _coverage(policy: Policy) -> Iterator[str]:
    if not policy.controls:
        return
    first = policy.controls[0]
    tested, untested = ([c for c in policy.controls if c.testable is testable] for testable in (True, False))
    yield f"## {policy.name}\n"
    yield f"[{first.framework}]({first.source_url}), {first.edition}, read on {first.retrieved}.\n"
    yield "| control | probes | gap | confidence |\n|---|---|---|---|"
    for c in tested:
        names = [f"`{name}`" for name in c.probes] or ["none"]
        absent = f"; not in this version: {', '.join(f'`{name}`' for name in c.absent)}" if c.absent else ""
        yield f"| {c.id} {_cell(c.title)} | {', '.join(names)}{absent} | {_cell(c.gap)} | {c.confidence} |"
    yield "\nWhat no technical test can evidence:\n"
    yield from (f"- {c.id} {_sentence(c.title)} {c.gap}" for c in untested)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _generator(cls: type[Generator]) -> Iterator[str]:
    yield f"## {cls.name}\n"
    yield f"**{_sentence(f'{cls.family.capitalize()}, {cls.domain}')}**\n"
    picture, sound = DOCS / "pictures" / f"{cls.name}.png", DOCS / "sounds" / f"{cls.name}.wav"
    if picture.exists():
        yield f"![Samples of {cls.name}](pictures/{picture.name})\n"
    if sound.exists():
        yield f"[Listen](sounds/{sound.name}).\n"
    yield _method(cls)
    for dial in cls.dials:
        doses = ", ".join(f"{dose:g}" for dose in dial.doses if dose)
        yield f"- `{dial.name}` at {doses}: {_sentence(dial.what)}"
    for choice in cls.choices:
        yield f"- `{choice.name}`, a property, {' or '.join(choice.values)}: {_sentence(choice.what)}"
    yield f"- After: {_sentence(cls.citation)}"
    if cls.reserved:
        yield "- Reserved: its outputs are controls; no detector is trained on them."
    yield from _figures(cls)
    yield ""


def _figures(cls: type[Generator]) -> Iterator[str]:
    """Two tables from the cards: what each dial does, and the quality of the clean weights beside its bar."""
    clean = cls.load().card
    yield "\n| what a dial raises | 0 | " + " | ".join(f"{d:g}" for d in cls.dials[0].doses) + " |"
    yield "|---|---|" + "---|" * len(cls.dials[0].doses)
    for dial in cls.dials:
        cards = [clean, *(cls.load(**{dial.name: dose}).card for dose in dial.doses)]
        figures = [card["truth"][dial.truth] for card in cards]
        values = " | ".join(f"{f['value']:.3g} [{f['low']:.3g}, {f['high']:.3g}]" for f in figures)
        yield f"| `{dial.name}`: {figures[0]['what']} (n = {figures[0]['n']:,}) | {values} |"
    yield "\n| quality of the clean weights | measured | target |"
    yield "|---|---|---|"
    for name, figure in clean["quality"].items():
        bar = f"{'≥' if figure['higher_is_better'] else '≤'} {figure['bar']:.3g}"
        interval = f"{figure['value']:.3g} [{figure['low']:.3g}, {figure['high']:.3g}]"
        yield f"| {name.replace('_', ' ')}: {figure['what']} (n = {figure['n']:,}) | {interval} | {bar} |"


def _probe(probe: type[Probe]) -> Iterator[str]:
    yield f"## {probe.id}\n"
    yield f"**{probe.question}**\n"
    yield _method(probe)
    data = [f"`--{name}`" for name in sorted(probe.needs)]
    access = [f"`{access}`" for access in sorted(probe.requires)]
    yield f"- Applies to: {', '.join(sorted(probe.modalities))}; needs {', '.join(access + data)}."
    yield f"- Headline: `{probe.headline}`{_limit(probe)}"
    yield from _controls(probe.controls)
    yield from _options(probe)
    if probe.spike_what:
        yield f"- Planted in your own target: {probe.spike_what} ([spike or instrument check](concepts.md))."
    yield f"- Limits: {_sentence(probe.limits)}"
    if probe.advice:
        yield f"- If this fails: {_sentence(probe.advice)}"
    yield ""


def _options(probe: type[Probe]) -> Iterator[str]:
    for name, option in probe.Options.model_fields.items():
        default = "none" if option.default is None else option.default
        short = [f", short `--{short} …`" for short, names in SHORT.items() if f"{probe.id}.{name}" in names]
        yield (
            f"- Option `{name}` (`--set {probe.id}.{name}=…`{''.join(short)}; default {default}):"
            f" {_sentence(option.description or '')}"
        )


def _detector(detector: type[Detector]) -> Iterator[str]:
    yield f"## {detector.id}\n"
    yield f"**{_sentence(detector.title)}**\n"
    yield _method(detector)
    yield f"- Applies to: {', '.join(sorted(detector.modalities))}, one item at a time."
    yield from _controls(detector.controls)
    yield f"- Limits: {_sentence(detector.limits)}"
    yield ""


def _limit(probe: type[Probe]) -> str:
    threshold = load_policy("default").headline(probe)
    return (
        "."
        if threshold is None
        else f", threshold {threshold.limit:g}, severity {threshold.severity}. Origin: {_sentence(threshold.origin)}"
    )


def _controls(controls: Iterable[Control]) -> Iterator[str]:
    for expected, words in (("found", "Must find"), ("clear", "Must raise no alarm on")):
        sources = [f"`{control.source}`" for control in controls if control.expected == expected]
        yield f"- {words}: {', '.join(sources)}."


def _method(cls: type) -> str:
    """Return the module's and the class's docstrings, from reStructuredText to Markdown."""
    module = inspect.getmodule(cls)
    assert isinstance(module, ModuleType)
    text = "\n\n".join(filter(None, (inspect.getdoc(module), _prose(inspect.getdoc(cls)))))
    text = re.sub(r"\[(\d+)\]_", r"[\1]", text)
    text = re.sub(r"^\.\. \[(\d+)\] +", r"- [\1] ", text, flags=re.MULTILINE)
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    return text.replace("``", "`") + "\n"


def _prose(text: str | None) -> str | None:
    """Return a docstring up to its first numpydoc section."""
    return re.split(r"\n\n\w+\n-{3,}\n", text, maxsplit=1)[0] if text else None


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        sys.stderr.write(f"wrote {path}\n")
