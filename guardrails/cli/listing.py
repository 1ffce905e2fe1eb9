"""``guardrails list``: what there is."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from ._console import Table, echo_json, stdout

Listed = dict[str, Any]
"""One line of a list, as ``--json`` prints it: its keys depend on the kind."""

TARGETS = (
    ("reference:NAME,DIAL=DOSE", "a reference generator of this library, with or without a planted fault"),
    ("real:NAME", "new pictures from the training distribution of a reference generator: real data as a target"),
    ("hf:FOLDER", "a causal language model in the Hugging Face layout (safetensors)"),
    ("diffusers:FOLDER", "a pipeline of diffusers that makes pictures, from text or from nothing (safetensors)"),
    ("package:NAME", "a model that an installed package carries; see requirements/models.txt"),
    ("dir:FOLDER", "a folder of images that a model made"),
    ("jsonl:FILE", 'texts that a model wrote, one {"text": …} a line'),
    ("table:FILE", "rows that a model made: CSV, TSV, Parquet or Excel"),
    ("python:MODULE:CALLABLE", "your own object or function"),
    ("chat:TARGET", "hf:, package: or python: asked by messages, in the model's chat template; see docs/endpoints.md"),
    (
        "openai:URL#MODEL",
        "a served model that answers chat completions (OpenAI, vLLM, llama.cpp, Ollama, TGI, LM Studio)",
    ),
    ("http:FILE.toml", "any API that takes and returns JSON, described by a template; see docs/endpoints.md"),
    ("openai-completions:URL#MODEL", "the same, asked to continue a text, without a chat template"),
)


class Kind(StrEnum):
    """What can be listed."""

    PROBES = "probes"
    DETECTORS = "detectors"
    GENERATORS = "generators"
    GRADERS = "graders"
    TARGETS = "targets"
    POLICIES = "policies"
    FORMATS = "formats"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the probes, detectors, generators, graders, kinds of target, policies or report formats."""
    entries = LISTS[kind]()
    if as_json:
        echo_json(entries)
        return
    if not entries:
        return
    table = Table()
    for heading in entries[0]:
        table.add_column(heading, overflow="fold", no_wrap=heading == next(iter(entries[0])))
    for entry in entries:
        table.add_row(*(", ".join(v) if isinstance(v, list | dict) else str(v) for v in entry.values()))
    stdout().print(table)


def _probes() -> list[Listed]:
    from ..core.registry import probes

    return [
        {
            "id": id,
            "question": cls.question,
            "looks at": _words(cls.modalities),
            "needs": _words(cls.requires) + _data(cls.needs),
            "options": cls.Options.model_json_schema().get("properties", {}),
        }
        for id, cls in probes().items()
    ]


def _detectors() -> list[Listed]:
    from ..core.registry import detectors

    return [{"id": id, "title": cls.title, "looks at": _words(cls.modalities)} for id, cls in detectors().items()]


def _generators() -> list[Listed]:
    from ..targets.reference import generators

    return [
        {
            "name": name,
            "family": cls.family,
            "domain": cls.domain,
            "makes": cls.modality,
            "dials": [f"{dial.name}={dose:g}" for dial in cls.dials for dose in dial.doses if dose],
            "properties": [f"{choice.name}={value}" for choice in cls.choices for value in choice.values],
        }
        for name, cls in generators().items()
    ]


def _graders() -> list[Listed]:
    from ..core.registry import graders

    return [
        {
            "name": f"{id}:…" if cls.takes else id,
            "title": cls.title,
            "question": cls.question,
            "takes": cls.takes or "nothing",
            "labels": list(getattr(cls, "labels", ())) or "its own",
        }
        for id, cls in graders().items()
    ]


def _targets() -> list[Listed]:
    from importlib.metadata import entry_points

    plugged = [(f"{p.name}:…", f"of a plug-in: {p.value}") for p in entry_points(group="guardrails.targets")]
    return [{"target": name, "what": what} for name, what in (*TARGETS, *plugged)]


def _policies() -> list[Listed]:
    from ..assay.policy.policy import load_policy, policy_names

    return [{"policy": name, "thresholds": len(load_policy(name).thresholds)} for name in policy_names()]


def _formats() -> list[Listed]:
    from reports.registry import renderers
    from reports.renderer import KINDS

    return [
        {"format": name, "of": f"guardrails {KINDS[kind]}", "title": cls.title}
        for (name, kind), cls in renderers().items()
    ]


def _words(values: frozenset[Any]) -> list[str]:
    return sorted(str(value) for value in values)


def _data(names: frozenset[str]) -> list[str]:
    return [f"--{name}" for name in sorted(names)]


LISTS: dict[Kind, Callable[[], list[Listed]]] = {
    Kind.PROBES: _probes,
    Kind.DETECTORS: _detectors,
    Kind.GENERATORS: _generators,
    Kind.GRADERS: _graders,
    Kind.TARGETS: _targets,
    Kind.POLICIES: _policies,
    Kind.FORMATS: _formats,
}
