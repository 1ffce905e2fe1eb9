"""What an audit was asked to do, checked as a whole: every mistake is reported at once."""

from __future__ import annotations

import csv
import fnmatch
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...core.errors import ConfigurationError, did_you_mean
from ...core.options import Value
from ...core.probe import Budget, Probe
from ...core.registry import load_probe, probes
from ...core.results import Severity
from ...kit.tables.choice import ROLES, Choice
from ...targets.endpoint.options import EndpointOptions
from ..comparison.excuses import Excuses, load_excuses
from ..policy.known_ids import wrong_ids
from ..policy.policy import load_policy, mistakes, read_toml, unknown_probes
from .options import SHORT, changed_options, given_options, of_probe, option_words, read_given

DATA: tuple[Literal["corpus", "holdout", "reference", "prompts"], ...] = ("corpus", "holdout", "reference", "prompts")
EXCUSES: tuple[Literal["waivers", "baseline"], ...] = ("waivers", "baseline")
BUDGETS = (Budget.QUICK, Budget.STANDARD, Budget.THOROUGH)


class Settings(BaseModel):
    """The settings of one audit: what the command line, a plan file or the Python API asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str | None = Field(default=None, min_length=1)  # an empty name would be the self-check
    corpus: str | None = Field(default=None, min_length=1)
    holdout: str | None = Field(default=None, min_length=1)
    reference: str | None = Field(default=None, min_length=1)
    prompts: str | None = Field(default=None, min_length=1)
    text_field: str | None = None
    columns: tuple[str, ...] = ()
    ignore_columns: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = Field(default={})
    policy: str = "default"
    probes: tuple[str, ...] = ()
    options: dict[str, Value] = Field(default={}, description="of probes, by PROBE.OPTION: what is not the default")
    budget: Budget = Budget.STANDARD
    seed: int = Field(default=0, ge=0, lt=2**63)
    fail_on: Severity = Severity.LOW
    waivers: str | None = Field(default=None, min_length=1, description="a TOML file")
    baseline: str | None = Field(default=None, min_length=1, description="the folder of a run, or its result.json")
    imports: tuple[str, ...] = Field(default=(), description="files with results of other tools")
    endpoint: EndpointOptions = EndpointOptions()

    @field_validator("columns", "ignore_columns", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Take a text for one list with commas, as the command line has it."""
        return column_names(value)

    @field_validator("roles", mode="before")
    @classmethod
    def _roles(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"columns by role, such as {{'id': ['ROWNUM']}}; the roles are {', '.join(ROLES)}")
        if unknown := [role for role in value if role not in ROLES]:
            raise ValueError(f"'{unknown[0]}' is no role.{did_you_mean(str(unknown[0]), ROLES)}")
        return {role: column_names(names) for role, names in value.items()}

    @property
    def choice(self) -> Choice:
        """Which columns of a table are used, and what they are."""
        return Choice(self.columns, self.ignore_columns, self.roles)

    def command(self, *, probe: str | None = None) -> str:
        """Return the command line that runs these settings again, for one probe or for all."""
        words = ["guardrails", "audit", *([self.target] if self.target else [])]
        for name in DATA:
            if value := getattr(self, name):
                words += [f"--{name}", value]
        words += option_words(self.options, probe=probe)
        if self.text_field:
            words += ["--text-field", self.text_field]
        words += [word for name in self.columns for word in ("--columns", _option(name))]
        words += [word for name in self.ignore_columns for word in ("--ignore-columns", _option(name))]
        for role, names in self.roles.items():
            words += [word for name in names for word in ("--role", f"{role}={_option(name)}")]
        for pattern in [probe] if probe else self.probes:
            words += ["--probes", pattern]
        if self.policy != "default":
            words += ["--policy", self.policy]
        if probe is None:  # what decides the exit code, and no finding by itself
            words += ["--fail-on", self.fail_on.value] if self.fail_on is not Severity.LOW else []
            words += [word for name in EXCUSES if (file := getattr(self, name)) for word in (f"--{name}", file)]
            words += [word for file in self.imports for word in ("--import", file)]
        words += self.endpoint.words()
        return shlex.join([*words, "--budget", self.budget.value, "--seed", str(self.seed)])


def make_settings(given: Mapping[str, Any], plan: Path | None = None) -> Settings:
    """Return checked settings from options and, beneath them, a plan file (TOML with the same names).

    Raises
    ------
    ConfigurationError
        With every mistake at once: unknown keys, budgets, probes and policies, missing files.
    """
    merged = asked(given, plan)
    wrong: list[str] = []
    try:
        merged["options"] = changed_options(read_given(merged["options"], open_files=True))
    except ConfigurationError as error:
        wrong += [f"  {line}" for line in error.lines]
        del merged["options"]
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        wrong += mistakes(error)
        bad = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
        settings = Settings.model_validate({k: v for k, v in merged.items() if k not in bad})
    if settings.budget not in BUDGETS:
        wrong.append(f"  budget: one of {', '.join(BUDGETS)}")
    for pattern in settings.probes:
        if not fnmatch.filter(probes(), pattern):
            wrong.append(f"  probes: no probe is called '{pattern}'.{did_you_mean(pattern, probes())}")
    for name in given_options({"options": given.get("options")}):  # a plan may hold those of probes that are left out
        probe = name.rpartition(".")[0]
        if probe in probes() and settings.probes and not any(fnmatch.fnmatch(probe, p) for p in settings.probes):
            wrong.append(f"  {name}: the probe {probe} is not among those chosen ({', '.join(settings.probes)})")
    try:
        policy = load_policy(settings.policy)
        if unknown := unknown_probes(policy) + wrong_ids(policy.controls):
            raise ConfigurationError("; ".join(unknown))
    except ConfigurationError as error:
        wrong.append(f"  policy: {error}")
    wrong += [
        f"  {name}: there is no '{path}'" for name in DATA if (path := getattr(settings, name)) and _missing(path)
    ]
    try:
        excuses_of(settings)
    except ConfigurationError as error:
        wrong += [f"  {error.lines[0]}", *(f"  {line}" for line in error.lines[1:])]
    wrong += [f"  import: there is no '{path}'" for path in settings.imports if not Path(path).is_file()]
    if settings.choice and settings.target is None:
        wrong.append("  columns and roles: for a target that is a table, and there is none")
    if settings.endpoint != EndpointOptions() and settings.target is None:
        wrong.append("  endpoint: for a served model, and there is no target")
    if wrong:
        where = f"plan {plan}" if plan else "the options"
        raise ConfigurationError(f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''} in {where}:", *wrong)
    return settings


def excuses_of(settings: Settings) -> Excuses | None:
    """Return the waivers and the baseline of an audit, or None where it has neither.

    Raises
    ------
    ConfigurationError
        Where one cannot be read, a waiver is not complete or has expired, or there is no target.
    """
    if settings.waivers is None and settings.baseline is None:
        return None
    if settings.target is None:
        raise ConfigurationError("waivers and a baseline are for findings of a target, and there is none")
    return load_excuses(settings.waivers, settings.baseline)


def asked(given: Mapping[str, Any], plan: Path | None = None) -> dict[str, Any]:
    """Return the options that were given and, beneath them, those of a plan file; unchecked.

    Raises
    ------
    ConfigurationError
        Where the plan cannot be read, or holds no option; where an option of a probe is given two values.
    """
    layers = [_of_plan(plan)] if plan else []
    layers.append(
        {
            key: os.fspath(value) if isinstance(value, os.PathLike) else value
            for key, value in given.items()
            if value not in (None, (), [], {})
        }
    )
    merged: dict[str, Any] = {"options": {}}
    for layer in layers:
        above = {key: value for key, value in layer.items() if key not in SHORT}
        above["options"] = merged["options"] | given_options(layer)
        if isinstance(merged.get("endpoint"), Mapping) and isinstance(layer.get("endpoint"), Mapping):
            above["endpoint"] = {**merged["endpoint"], **layer["endpoint"]}
        merged |= above
    if isinstance(merged.get("probes"), str):
        merged["probes"] = (merged["probes"],)  # one glob, not its letters
    return merged


def _of_plan(plan: Path) -> dict[str, Any]:
    """Return what a plan holds; ``probes`` is a glob or several or, as a table, options of probes by probe."""
    layer = dict(read_toml(plan, "plan")[0])
    if not layer:  # left empty by mistake, it would be the self-check
        raise ConfigurationError(f"plan {plan} holds no option")
    if "options" in layer:
        raise ConfigurationError(f'plan {plan}: options of a probe are a table, as [probes."memorization.copies"]')
    if isinstance(layer.get("probes"), dict):
        options = dict(layer.pop("probes"))
        if "only" in options:
            layer["probes"] = options.pop("only")
        layer["options"] = options
    return layer


def _missing(path: str) -> bool:
    return not path.startswith(OBJECT) and not Path(path).exists()


def column_names(value: Any) -> Any:
    """Return names of columns: a text is split at its commas outside of quotes, a sequence is taken as it is.

    >>> column_names("age, sex"), column_names('"last, first",age'), column_names(["last, first"])
    (('age', 'sex'), ('last, first', 'age'), ['last, first'])
    """
    if not isinstance(value, str):
        return value
    fields = next(csv.reader([value], skipinitialspace=True), [])
    return tuple(name.strip() for name in fields if name.strip())


def _option(name: str) -> str:
    """Return a name of a column as `column_names` splits it."""
    return '"' + name.replace('"', '""') + '"' if "," in name or name.startswith('"') else name


OBJECT = "python object: "
"""Marks data and targets that were given as Python objects: a run with them can be resumed only with the same ones."""


def selected(patterns: tuple[str, ...], options: Mapping[str, Value] | None = None) -> list[Probe]:
    """Return the probes that match any of the patterns; without patterns, all. Options are by ``PROBE.OPTION``."""
    names = [name for name in probes() if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]
    return [load_probe(name, of_probe(options or {}, name)) for name in names]
