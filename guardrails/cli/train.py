"""``guardrails train``: make the shipped weights anew."""

from __future__ import annotations

import functools
import json
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ._console import only_data_on_stdout
from ._new_folder import locked_folder
from ._screen import note, show

app = typer.Typer(
    help="Train a reference generator, a detector, a grader or the copy descriptor again; deterministic for a seed.",
    no_args_is_help=True,
)

LOCK = "train.lock"

Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same weights on the same machine.")]
Out = Annotated[
    Path | None, typer.Option(help="Where to write. (default: the library's own weights folder)", show_default=False)
]


@app.command("generator")
def generator(
    name: Annotated[str, typer.Argument(help="See: guardrails list generators")], out: Out = None, seed: Seed = 0
) -> None:
    """Train a reference generator, clean and at every dose; print its quality next to that of the shipped one."""
    from ..targets.reference import WEIGHTS, find_generator

    cls = find_generator(name)
    shipped = _cards(WEIGHTS, name)
    folder = out or WEIGHTS
    _train(cls.train_all, folder, seed, name)
    for row in _compared(_cards(folder, name), shipped):
        note(row)


@app.command("detector")
def detector(
    name: Annotated[str, typer.Argument(help="default, or see: guardrails list detectors")],
    out: Out = None,
    seed: Seed = 0,
    real: Annotated[
        list[Path] | None,
        typer.Option(help="default only: a folder of photographs to add; its name is their source. Repeat for more."),
    ] = None,
    generated: Annotated[
        list[Path] | None,
        typer.Option(help="default only: a folder of outputs to add; its name is their family. Repeat for more."),
    ] = None,
) -> None:
    """Train a detector's shipped weights; ``default``: those that the linear image detectors and their fusion share.

    A folder with a manifest.csv of its own (path, label, family, source, source_path, licence) is read by its rows.
    """
    from ..core.registry import load_detector
    from ..deepfake.images.fitted_head import WEIGHTS
    from ..training import TRAINERS

    if name not in TRAINERS:
        load_detector(name)
        raise ConfigurationError(f"{name} has nothing to train by itself: see guardrails train detector default")
    train = pkgutil.resolve_name(TRAINERS[name])
    if name == "default":
        train = functools.partial(train, real=real or (), generated=generated or ())
    elif real or generated:
        raise ConfigurationError(f"{name} takes no folders: only default does")
    _train(train, out or WEIGHTS, seed, name)


@app.command("descriptor")
def descriptor(out: Out = None, seed: Seed = 0) -> None:
    """Train the copy descriptor of memorization.copies: about eight minutes on one core."""
    from ..kit.pictures.descriptor import WEIGHTS
    from ..training.copy_descriptor import train_shipped

    _train(train_shipped, out or WEIGHTS, seed, "descriptor")


@app.command("grader")
def grader(
    name: Annotated[str, typer.Argument(help="sentiment, regard or refusal")], out: Out = None, seed: Seed = 0
) -> None:
    """Train the head of a grader on the labelled texts of the library; its card has the error by cross-fitting."""
    from ..graders.head import WEIGHTS
    from ..training.graders import RECIPES, train_shipped

    if name not in RECIPES:
        raise ConfigurationError(f"the grader '{name}' has no head to train; known: {', '.join(RECIPES)}")
    _train(functools.partial(train_shipped, name), out or WEIGHTS, seed, name)


def _train(train: Callable[..., Iterable[Path]], folder: Path, seed: int, name: str) -> None:
    with locked_folder(folder, LOCK, is_ours=lambda _: False), only_data_on_stdout():
        files = list(train(folder, seed=seed))
    for file in files:
        show(str(file))
    note(f"trained {name} with seed {seed}; weights and card in {folder}")


def _cards(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the cards of every dose in a folder, by file stem."""
    paths = [folder / f"{name}.json", *sorted(folder.glob(f"{name},*.json"))]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()}


def _compared(made: Mapping[str, Mapping[str, Any]], shipped: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each figure of truth and quality: what was made, and what had shipped."""
    for stem, card in made.items():
        before = shipped.get(stem, {})
        same = before.get("sha256") == card["sha256"]
        yield f"{stem}: {'the same weights as' if same else 'other weights than'} shipped"
        for part in ("truth", "quality"):
            for key, figure in card[part].items():
                was = before.get(part, {}).get(key, {})
                then = f"{was['value']:g}" if "value" in was else "none"
                bar = f", bar {figure['bar']:g}" if "bar" in figure else ""
                interval = f"{figure['value']:g} [{figure['low']:g}, {figure['high']:g}]"
                yield f"  {part} {key}: {interval}, shipped {then}{bar}"
