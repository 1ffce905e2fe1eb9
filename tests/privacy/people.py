"""Tables of invented people, for the tests of attacks on synthetic tables."""

from __future__ import annotations

import numpy as np
import pandas as pd


def people(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "city": rng.choice(["Ulm", "Bonn", "Jena", "Gera"], n),
            "age": age,
            "income": np.round(rng.normal(30_000 + 100 * age, 9_000, n) + shift),
            "married": rng.random(n) < 0.4,
            "born": pd.Timestamp("2020-01-01") - pd.to_timedelta(age * 365 + rng.integers(0, 365, n), unit="D"),
            "note": np.where(rng.random(n) < 0.2, None, rng.choice(["x", "y", "z"], n)),
        }
    )
