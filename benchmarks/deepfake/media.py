"""Generated pictures of the public media corpus: every bar of the image detectors, in one run.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/media.py [--real FOLDER] [--perturbed 150] [--quick]

Two ways of learning, each with whole families of generators and whole sources of photographs left out: `shipped` learns
only from what the shipped weights may learn from, `method` from every row of the corpus. Every picture of both classes
has been cropped and saved as JPEG 70–95 by the same draw. Vectors are kept in the user's cache, so that a second run is
quick. Figures of this corpus are for development: its families are few and its photographs mostly old.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.pictures.changes import Perturbation
from guardrails.training.exams.images import Rows, areas, families, frozen
from guardrails.training.images import all_learnt, checked, described, heads_of, the_encoder
from guardrails.training.material import pictures as examples
from guardrails.training.material.described_pictures import SIZE, drawn, vectors

CHANGES = ("none", "jpeg=90", "jpeg=70", "jpeg=50", "blur=1", "blur=2", "blur=3", "resize=0.5", "crop=0.7")
"""Each is checked on its own result: see `guardrails.kit.pictures.changes`."""
KEYS = ("auc, mean over families", "auc, mean over families of 24 or more", "auc, worst of these", "tpr at 5% fpr")


def shown(figures: Mapping[str, Mapping[str, float]], key: str) -> str:
    one = figures[key]
    return f"{one['value']:.3f} [{one['low']:.2f}, {one['high']:.2f}]"


def table(rows: Rows) -> None:
    """Each head alone and together on families left out."""
    heads = heads_of(rows) | {"side and bytes": {SIZE: SIZE}}
    print(f"{'':<28}  all families        24 files or more    worst of these      TPR at 5% FPR")
    for name, names in heads.items():
        part = rows.only(names).photographs()
        figures = areas(part, families(part))
        worst = figures["auc, worst of these"]["family"]
        print(f"{name:<28}  " + "  ".join(shown(figures, key) for key in KEYS) + f"  {worst}", flush=True)
    for name in [name for name in heads if "fusion" in name]:
        figures = frozen(rows.only(heads[name]))
        print(f"{name}, families and sources left out together:")
        for key in figures:
            if "by source" not in key and "abstentions" not in key:
                print(f"  {key}: {shown(figures, key)}")
        print(f"  abstains: {figures['abstentions']['value']:.2f}", flush=True)
        for source, one in figures["fpr by source at the frozen threshold"].items():
            print(
                f"  false positives in {source}: {one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}], n {one['n']}"
            )


def robustness(rows: Rows, given: list[examples.Example], n: int, encoder: object) -> None:
    """Judge n pictures of each class after a change that no head has learnt."""
    rng = np.random.default_rng(derive_seed(0, "perturbed"))
    places = np.flatnonzero(rows.judged)
    assert len(places) == len(given)
    sides = ([i for i, e in enumerate(given) if e.label == label and e.family != examples.ART] for label in (0, 1))
    taken = [rng.permutation(side)[:n] for side in sides]
    chosen = np.sort(np.concatenate(taken))
    judged = np.zeros(len(rows.labels), dtype=bool)
    judged[places[chosen]] = True
    few = replace(rows, judged=judged)
    heads = {name: names for name, names in heads_of(rows).items() if "fusion" in name}
    for change in map(Perturbation.parse, CHANGES):
        blocks = {name: x.copy() for name, x in rows.blocks.items()}
        for i in chosen.tolist():
            descriptors = vectors(change.apply(drawn(given[i], seed=0, plain=True))[0], encoder)  # type: ignore[arg-type]
            for name in blocks:
                blocks[name][places[i]] = descriptors[name]
        for name, names in heads.items():
            part = few.only(names)
            found_areas = areas(part, families(part, {new: blocks[old] for new, old in names.items()}))
            print(f"{change.name:<12} {name:<28} {shown(found_areas, KEYS[0])}  n {len(chosen)}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--real", type=Path, action="append", default=[], help="a folder of photographs to add")
    arguments.add_argument("--perturbed", type=int, default=150, help="pictures a class for the robustness; 0: none")
    arguments.add_argument("--quick", action="store_true", help="without deepfake.features")
    options = arguments.parse_args()
    media = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media"
    encoder = None if options.quick else the_encoder()
    real = [e for folder in (media, *options.real) for e in examples.of_folder(folder, 0)]
    given = examples.distinct([*real, *examples.of_folder(media, 1)])
    rows, bad = described([*given, *examples.built_in(given, seed=0)], seed=0, encoder=encoder, judged=given)
    assert not bad, bad
    checked(rows, given, 0)
    for title, part in {"shipped": rows, "method": all_learnt(rows)}.items():
        print(f"\n{title}: learns from {int(part.learnt.sum())} rows, judged on {int(part.judged.sum())}")
        table(part)
        if options.perturbed:
            robustness(part, given, options.perturbed, encoder)


if __name__ == "__main__":
    main()
