"""Train the classifier with differential privacy that ships as a control, `classifier:tabular,private=1`.

    pip install -r requirements/private.txt    # in an environment with guardrails
    python scripts/train_private.py [FOLDER]   # default: guardrails/targets/weights

DP-SGD of opacus on the corpus of the reference generator `tabular`: a network with one hidden layer tells `defaulted`
from the other columns. The settings below were chosen on other applicants of the same law, so that ε counts all that
was seen of the corpus. Without privacy the same network learns its rows by heart, and the card says what lower bound on
ε `privacy.dp-bound-classifier` then finds. The noise comes from a seed, so that everybody can make the same weights:
fine for a control whose rows are nobody's, and never for real people, whose noise must stay secret.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.numpy import save
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from generators.base import find_generator
from generators.tabular.applicants import CATEGORIES, NUMBERS
from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.privacy.dp_bound_classifier import ClassifierPrivacyBound
from guardrails.targets.private_classifier import WEIGHTS, PrivateClassifier, PrivatelyTrained, features

STEM = "tabular,private=1"
EPSILON, DELTA = 1.0, 1e-5
HIDDEN, SEED, EPOCHS, BATCH, RATE, CLIP = 64, 0, 40, 500, 0.5, 1.0
EARLY, STEPS = 100, 3000
"""Without privacy, until it generalizes and until it knows its rows."""
LABEL = CATEGORIES[-1]
SCHEMA = {
    "classes": list(LABEL.levels),
    "numbers": {c.name: [(c.low + c.high) / 2, (c.high - c.low) / 2] for c in NUMBERS},
    "levels": {c.name: list(c.levels) for c in CATEGORIES[:-1]},
}
"""From the bounds that the law of the applicants states, not from the rows."""


def tensors(table: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(features(table, SCHEMA)).float(),
        torch.from_numpy((table[LABEL.name] == LABEL.levels[1]).to_numpy()).float(),
    )


def network(inputs: int) -> torch.nn.Sequential:
    torch.manual_seed(SEED)
    return torch.nn.Sequential(torch.nn.Linear(inputs, HIDDEN), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, 1))


def private(corpus: pd.DataFrame) -> tuple[torch.nn.Sequential, float, float]:
    """Return the model, the ε that was spent, and the noise: its standard deviation over the clipped norm."""
    from opacus import PrivacyEngine

    x, y = tensors(corpus)
    model = network(x.shape[1])
    engine = PrivacyEngine(accountant="rdp")
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=BATCH, generator=torch.Generator().manual_seed(SEED)
    )
    made, optimizer, batches = engine.make_private_with_epsilon(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=RATE),
        data_loader=data,
        target_epsilon=EPSILON,
        target_delta=DELTA,
        epochs=EPOCHS,
        max_grad_norm=CLIP,
        noise_generator=torch.Generator().manual_seed(SEED + 1),
    )
    loss = torch.nn.BCEWithLogitsLoss()
    for _ in range(EPOCHS):
        for rows, labels in batches:
            optimizer.zero_grad()
            loss(made(rows)[:, 0], labels).backward()
            optimizer.step()
    return model, engine.get_epsilon(DELTA), float(optimizer.noise_multiplier)


def plain(corpus: pd.DataFrame, steps: int = STEPS) -> torch.nn.Sequential:
    """Return the same network trained without privacy."""
    x, y = tensors(corpus)
    model = network(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], y).backward()
        optimizer.step()
    return model


def parts(model: torch.nn.Sequential) -> dict[str, Any]:
    first, _, last = model
    named = {"hidden_weight": first.weight.T, "hidden_bias": first.bias, "weight": last.weight[0], "bias": last.bias}
    return {name: value.detach().numpy().copy() for name, value in named.items()}


def quality(classifier: Any, table: pd.DataFrame) -> dict[str, float]:
    """Return accuracy, AUC and log-loss."""
    truth = table[LABEL.name] == LABEL.levels[1]
    p = classifier.predict_proba(table)[:, 1]
    scores = {
        "accuracy": accuracy_score(truth, p > 0.5),
        "auc": roc_auc_score(truth, p),
        "log_loss": log_loss(truth, p),
    }
    return {name: round(float(value), 4) for name, value in scores.items()}


def classifier(model: torch.nn.Sequential) -> PrivateClassifier:
    return PrivateClassifier({**SCHEMA, "claimed_epsilon": EPSILON, "sha256": ""}, parts(model))


def bound(model: PrivateClassifier, corpus: pd.DataFrame, holdout: pd.DataFrame) -> float:
    """Return the lower bound on ε that the audit finds."""
    probe, subject = ClassifierPrivacyBound(), Subject(PrivatelyTrained(model, "it"), corpus=corpus, holdout=holdout)
    rows = [row for b in probe.plan(subject, Budget.CONTROL, seed=SEED) for row in ask(probe, subject, b, seed=SEED)]
    return round(float(probe.measure(rows, subject, seed=SEED)[0].value or 0), 3)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    generator = find_generator("tabular").load()
    corpus, holdout = generator.training_items(), generator.holdout_items()
    model, spent, noise = private(corpus)
    made, overfitted = classifier(model), classifier(plain(corpus))
    content = save(parts(model))
    card: dict[str, Any] = {
        "name": STEM,
        "command": "python scripts/train_private.py",
        "sha256": hashlib.sha256(content).hexdigest(),
        "claimed_epsilon": EPSILON,
        "delta": DELTA,
        "spent_epsilon": round(spent, 4),
        "accounting": "Renyi differential privacy (opacus), Poisson batches, rows added or removed",
        "settings": {"seed": SEED, "epochs": EPOCHS, "batch": BATCH, "rate": RATE, "clip": CLIP, "noise": noise},
        **SCHEMA,
        "holdout": {
            "rows": len(holdout),
            "private": quality(made, holdout),
            "not_private": quality(classifier(plain(corpus, EARLY)), holdout),
            "not_private_overfitted": quality(overfitted, holdout),
            "most_frequent_label": round(float(holdout[LABEL.name].value_counts(normalize=True).max()), 4),
        },
        "epsilon_lower_bound": {
            "private": bound(made, corpus, holdout),
            "not_private_overfitted": bound(overfitted, corpus, holdout),
        },
        "versions": {name: version(name) for name in ("opacus", "torch", "numpy")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{STEM}.safetensors").write_bytes(content)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in card.items())
    (folder / f"{STEM}.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    print(f"{STEM}: ε = {spent:.3f} at δ = {DELTA:g}; {card['holdout']}; {card['epsilon_lower_bound']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
