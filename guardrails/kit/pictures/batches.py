"""What probes of pictures share: batches of a sampling target or a folder, rows of the journal, contact sheets."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...core.asking import message
from ...core.batch import Batch, Item, Row, in_batches
from ...core.errors import ContentError
from ...core.probe import Budget
from ...core.targets import ImageTarget
from ..io import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLES = {Budget.CONTROL: 250, Budget.QUICK: 300, Budget.STANDARD: 1000, Budget.THOROUGH: 4000}
BATCH = 50


def plan_pictures(target: ImageTarget, budget: Budget, *, seed: int, **payload: Any) -> list[Batch]:
    """Plan as many pictures as the budget allows and the target has.

    Parameters
    ----------
    target : ImageTarget
        What will be asked.
    budget : Budget
        See `SAMPLES`.
    seed : int
        Which of a folder's pictures are taken, and in what order.
    **payload
        JSON that every batch carries beside the ``seed``.

    Returns
    -------
    list of Batch
        Each item has its ``place`` among all pictures. Where a folder holds files that cannot be read, the last batch
        has as many of them as there would be in a random sample, at least one, each with its ``problem``: it becomes an
        error row.
    """
    problems: Sequence[tuple[str, str]] = getattr(target, "problems", ())
    n, bad = _shares(SAMPLES[budget], target.available, len(problems))
    shared = {"seed": seed, **payload}
    batches = in_batches([Item(f"{i:05d}", fields={"place": i}) for i in range(n)], BATCH, shared)
    if bad:
        unread = [Item(f"file {shown(name)}", fields={"problem": reason}) for name, reason in problems[:bad]]
        batches.append(Batch(len(batches), tuple(unread), shared))
    return batches


def _shares(most: int, available: int | None, problems: int) -> tuple[int, int]:
    """Return how many pictures to ask for, and how many unreadable files to count beside them."""
    if available is None or not problems:
        return (most if available is None else min(most, available)), 0
    whole = available + problems
    bad = min(problems, max(1, round(min(most, whole) * problems / whole)))
    return min(available, max(0, min(most, whole) - bad)), bad


def fetch_pictures(
    target: ImageTarget, batch: Batch, read: Callable[[NDArray[np.uint8]], dict[str, Any]], *, seed: int
) -> list[Row]:
    """Ask the target for a batch and turn each picture into a row.

    Parameters
    ----------
    target : ImageTarget
        A folder is drawn from without replacement over all batches, by the plan's seed.
    batch : Batch
        From `plan_pictures`.
    read : callable
        Picture → the JSON that the row holds. A ContentError or ValueError of it makes an error row here: to ask again
        for the others would draw others.
    seed : int
        Of a target that samples.
    """
    items = [item for item in batch.items if "problem" not in item.fields]
    rows: list[Row] = [
        {"item": item.id, "error": item.fields["problem"]} for item in batch.items if "problem" in item.fields
    ]
    if not items:
        return rows
    if target.available is None:
        pictures: Sequence[NDArray[np.uint8]] = target.sample_images(len(items), seed=seed)
    else:
        start = items[0].fields["place"]
        pictures = target.sample_images(start + len(items), seed=batch.payload["seed"])[start:]
    for place, item in enumerate(items):
        try:
            rows.append({"item": item.id} | read(pictures[place]))
        except (ContentError, ValueError) as error:
            rows.append({"item": item.id, "error": message(error)})
    return rows


def open_thumbnail(text: str) -> NDArray[np.uint8]:
    """Return the picture that `guardrails.kit.io.thumbnail` wrote, (H, W, 3)."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]).convert("RGB"), dtype=np.uint8)


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], *, side: int = 64, columns: int = 8) -> NDArray[np.uint8]:
    """Lay pictures of any size on white, each within a square of its own.

    Parameters
    ----------
    pictures : sequence of arrays of uint8
        (H, W) or (H, W, 3), at least one.
    side : int
        Of a square, in pixels.
    columns : int
        Squares in a row.

    Returns
    -------
    ndarray of uint8
        (rows · (side + 4), min(columns, N) · (side + 4), 3).
    """
    import numpy as np

    from ..io import resize

    columns, cell = min(columns, len(pictures)), side + 4
    sheet = np.full((-(-len(pictures) // columns) * cell, columns * cell, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        height, width = (max(1, round(x * side / max(picture.shape[:2]))) for x in picture.shape[:2])
        small = resize(np.ascontiguousarray(picture), (height, width))
        top, left = i // columns * cell + (cell - height) // 2, i % columns * cell + (cell - width) // 2
        sheet[top : top + height, left : left + width] = small if small.ndim == 3 else small[..., None]
    return sheet
