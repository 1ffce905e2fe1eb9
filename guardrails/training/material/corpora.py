"""Every picture of some folders with manifests, with what must not stand on both sides of a split.

Generated pictures are left out by lineage (models of one descent, whatever a repository calls them), real ones by the
owner of the repository or the package. A third of the lineages and of the owners is set apart by a hash: it chooses
nothing and is read once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...kit.pictures.manifest import read_manifest
from .pictures import permitted

COLUMNS = ("label", "family", "source", "licence")
MOST = 60
"""Pictures of one family in one source that are read: the first by their hash."""
LARGE = {0: 20, 1: 24}
"""From how many pictures a source or a lineage counts as large: large and small ones are set apart separately."""
LINEAGES = {
    "stylegan": ("stylegan", "progan"),
    "latent-diffusion": (
        "latent-diffusion", "sd15", "sd-", "sdxl", "stablestudio", "animatediff", "img2img-turbo", "ip-adapter",
        "perflow",
    ),
    "clip-guided": ("deep-daze", "aphantasia", "vqgan"),
}  # fmt: skip
"""Beginnings of the names of families that share a decoder or a way of making pictures."""
OWNERS = {"pillow": "python-pillow"}
"""Packages whose pictures a repository has as well."""


@dataclass(frozen=True)
class Row:
    """One picture.

    Attributes
    ----------
    path : Path
    label : int
        1 = generated.
    family : str
        As the manifest has it.
    source : str
        The repository, or the folder that its pictures lie in.
    group : str
        Lineage of a generated picture, owner of a real one: what is left out as one.
    learnt : bool
        Whether its licence permits to learn from it.
    kind : str
        ``photograph``, ``art``, ``generated`` or ``swap``.
    apart : bool
        Whether its group is set apart.
    """

    path: Path
    label: int
    family: str
    source: str
    group: str
    learnt: bool
    kind: str
    apart: bool = False

    @property
    def name(self) -> str:
        """Seeds its draws: the folder's name and the path below it."""
        return "/".join(self.path.parts[-3:])


def rows_of(folders: Iterable[Path]) -> list[Row]:
    """Return the distinct pictures of folders with manifests, at most `MOST` of one source, with a third set apart.

    Raises
    ------
    ConfigurationError
        Where a manifest is missing or lacks a column.
    """
    first: dict[str, Row] = {}
    for folder in folders:
        for stated in read_manifest(folder, COLUMNS):
            path = folder / stated["path"]
            label, learnt = int(stated["label"] == "generated"), permitted(stated["licence"])
            row = Row(path, label, stated["family"], stated["source"], _group(label, stated), learnt, _kind(stated))
            first.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), row)
    return set_apart(_fewer(sorted(first.items())))


def _group(label: int, stated: dict[str, str]) -> str:
    if label:
        begins = ((name, start) for name, starts in LINEAGES.items() for start in starts)
        return next((name for name, start in begins if stated["family"].startswith(start)), stated["family"])
    folder = Path(stated["path"]).parent.name
    repository = "/" in stated["source"] and "generator" not in stated
    owner = (stated["source"].split("/")[0] if repository else folder).lower()
    return OWNERS.get(owner, owner)


def _kind(stated: dict[str, str]) -> str:
    kinds = {"generated": "generated", "manipulated": "swap"}
    return kinds.get(stated["label"], "art" if stated["family"] == "art" else "photograph")


def _fewer(by_hash: Sequence[tuple[str, Row]]) -> list[Row]:
    """Keep the first `MOST` of a source: the order is that of the hashes of the files."""
    so_far: Counter[tuple[str, str, str]] = Counter()
    out = []
    for _, row in by_hash:
        key = (row.group, row.family, row.source)
        so_far[key] += 1
        if so_far[key] <= MOST:
            out.append(row)
    return out


def set_apart(rows: Sequence[Row]) -> list[Row]:
    """Mark a third of the groups of either label, of large and of small ones: every third in the order of a hash."""
    sizes = Counter((row.label, row.group) for row in rows)
    strata: dict[tuple[int, bool], list[tuple[int, str]]] = {}
    for key in sorted(sizes, key=lambda key: hashlib.sha256(f"apart {key[1]}".encode()).hexdigest()):
        strata.setdefault((key[0], sizes[key] >= LARGE[key[0]]), []).append(key)
    marked = {key for keys in strata.values() for key in keys[2::3]}
    return [replace(row, apart=(row.label, row.group) in marked) for row in rows]
