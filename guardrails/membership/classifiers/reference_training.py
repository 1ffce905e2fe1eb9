"""Reference models: the audited classifier trained again, each time on another half of the audited items.

They come in pairs, one trained on a random half and the other on the rest, so that each item is in the training data of
exactly half of the models (N. Carlini et al. 2022, arXiv 2112.03570, who draw halves with the same property).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from pickle import PicklingError
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import TargetError
from ...core.seeding import derive_seed
from ...core.targets import RetrainableTarget

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]


def halves(model: int, items: int, *, seed: int) -> Bools:
    """Return which of the items a reference model is trained on, (items,): model 2j + 1 on those that 2j is not.

    >>> both = halves(4, 10, seed=0) ^ halves(5, 10, seed=0)
    >>> int(halves(4, 10, seed=0).sum()), bool(both.all())
    (5, True)
    """
    order = np.random.default_rng(derive_seed(seed, "half", model // 2)).permutation(items)
    chosen: Bools = np.zeros(items, dtype=bool)
    chosen[order[: items // 2]] = True
    return ~chosen if model % 2 else chosen


def processes(models: int) -> int:
    """Return how many processes train so many models: one for each core that this process may use, at most."""
    from joblib import cpu_count

    return min(models, int(cpu_count()))


def reference_confidences(
    target: RetrainableTarget,
    pool: pd.DataFrame,
    training: Sequence[NDArray[np.intp]],
    asked: Any,
    *,
    seeds: Sequence[int],
    jobs: int,
) -> Iterator[NDArray[np.float64] | str]:
    """Train reference models and yield, in their order, what each says of the items, or why it could not be trained.

    Each process uses one thread and each model has its own seed, so that the number of processes changes nothing. What
    a model says goes straight into a file and the model is dropped: memory does not grow with the number of models.

    Parameters
    ----------
    target : RetrainableTarget
        The user's.
    pool : DataFrame
        All rows.
    training : sequence of ndarray of int
        Places in the pool of the rows that each model is trained on.
    asked : ndarray of int, (N,)
        Places in the pool of the items.
    seeds : sequence of int
        One for each model.
    jobs : int
        Processes; with 1 the models are trained in this one.

    Yields
    ------
    ndarray, (N,), or str

    Raises
    ------
    TargetError
        Where the classifier cannot be sent to another process, one was killed, or the disk is full.
    """
    from joblib import Parallel, delayed, parallel_config

    options: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1} if jobs > 1 else {"backend": "sequential"}
    try:
        with parallel_config(**options), TemporaryDirectory(prefix="guardrails-") as folder:
            file = Path(folder, "confidences.npy")
            kept = np.lib.format.open_memmap(file, "w+", np.float64, (len(training), len(asked)))
            tasks = (
                delayed(_train)(target, pool, rows, asked, seed, file, place)
                for place, (rows, seed) in enumerate(zip(training, seeds, strict=True))
            )
            failures = Parallel(n_jobs=jobs, return_as="generator", pre_dispatch="n_jobs")(tasks)
            for place, failure in enumerate(failures):
                yield np.array(kept[place]) if failure is None else failure
    except PicklingError as error:
        raise TargetError(f"{target.name} cannot be sent to another process ({error}); define it in a module") from None
    except BrokenProcessPool as error:
        raise TargetError(f"{target.name}: a process that trained it was ended, perhaps for memory ({error})") from None
    except OSError as error:
        raise TargetError(f"what models trained like {target.name} say could not be written ({error})") from None


def _train(
    target: RetrainableTarget,
    pool: pd.DataFrame,
    rows: NDArray[np.intp],
    asked: NDArray[np.intp],
    seed: int,
    file: Path,
    place: int,
) -> str | None:
    """Train a model, write what it says into its line of the file, and return why that failed, or None."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    try:
        with threadpool_limits(1):
            confidence = target.retrained(pool.iloc[rows], seed=seed).confidence(pool.iloc[asked])
    except TargetError as error:
        return str(error)
    np.lib.format.open_memmap(file, "r+")[place] = confidence
    return None
