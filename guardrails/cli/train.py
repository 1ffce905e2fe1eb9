"""``guardrails train``: make the shipped weights anew."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from ..core.errors import ConfigurationError
from ._console import only_data_on_stdout, say

app = typer.Typer(
    help="Train a reference generator or a detector anew: deterministic in the seed.", no_args_is_help=True
)

Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same weights on the same machine.")]
Out = Annotated[
    Path | None, typer.Option(help="Where to write. (default: the library's own weights folder)", show_default=False)
]


@app.command("generator")
def generator(
    name: Annotated[str, typer.Argument(help="See: guardrails list generators")], out: Out = None, seed: Seed = 0
) -> None:
    """Train a reference generator, clean and at every dose of its dials."""
    from generators.base import WEIGHTS, find_generator

    module = importlib.import_module(find_generator(name).__module__)
    _train(module, "train_all", out or WEIGHTS, seed, name)


@app.command("detector")
def detector(
    name: Annotated[str, typer.Argument(help="See: guardrails list detectors")], out: Out = None, seed: Seed = 0
) -> None:
    """Train a detector on the reference generators that are not reserved for controls."""
    from ..core.registry import load_detector

    module = importlib.import_module(type(load_detector(name)).__module__)
    home = Path(str(module.__file__)).parent / "weights"
    _train(module, "train_shipped", out or home, seed, name)


def _train(module: ModuleType, function: str, folder: Path, seed: int, name: str) -> None:
    train = getattr(module, function, None)
    if train is None:
        raise ConfigurationError(f"{name} has nothing to train: it ships without weights")
    folder.mkdir(parents=True, exist_ok=True)
    with only_data_on_stdout():
        files = train(folder, seed=seed)
    for file in files or ():
        typer.echo(file)
    say(f"trained {name} with seed {seed}; weights and card in {folder}")
