"""Two trainings that went wrong, as records: what a look at stability must tell from a training that did not.

`mode-collapse`: the clean `gan-art` plays on without what holds its modes: D is told no style, so that one good picture
is as good as another, there is neither L1 nor R1, and D learns at every tenth step only. Against a D that stands still,
G does best to paint the one thing that D likes most, whatever its z: the "Helvetica scenario" of [1]_. Of eight styles
few remain, though the losses look like those of many a GAN [2]_.

`diverged`: `vae-medical` from scratch by plain gradient descent without clipping, at a rate that grows by a twentieth
each step and never stops growing, as in a test of the largest rate [3]_. The loss falls, swings, and is no number.

``python -m generators.gan_art.unstable`` writes both to ``generators/records``, within two minutes on one core. A
record has the shape of a card: its ``stability`` is what `guardrails.kit.training.train` returned.

.. [1] I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, arXiv 1406.2661: section 6.
.. [2] L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, "Unrolled Generative Adversarial Networks", ICLR 2017,
   arXiv 1611.02163.
.. [3] L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017, arXiv 1506.01186.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.core.errors import ConfigurationError, did_you_mean
from guardrails.core.seeding import derive_seed
from guardrails.kit.pictures.features import image_features
from guardrails.kit.training import StabilityRecord, train

from ..vae_medical import phantoms
from ..vae_medical.model import PIXELS, VaeMedical, to_unit
from . import paintings
from . import truth as gan_truth
from .model import GanArt, grad_norm, said, to_signed
from .paintings import QUANTITIES, STYLES

RECORDS = Path(__file__).parents[1] / "records"
BATCH = 32
STEPS, LOOKS, SHOWN = 200, 20, 400
"""Of the collapsing GAN: its steps, how often its modes are counted, in how many pictures."""
RATE, D_EVERY = 5e-3, 10
"""Of both networks; D learns at one step in so many."""
RATE_VAE, GROWTH = 0.05, 1.05


def mode_collapse(seed: int) -> StabilityRecord:
    """Let the clean `gan-art` lose its modes; ``modes`` along its curves counts the styles that it still paints."""
    import torch
    from torch.nn.functional import softplus

    model, rng = GanArt.load(), np.random.default_rng(derive_seed(seed, "mode-collapse"))
    adam_g = torch.optim.Adam(model.generator.parameters(), lr=RATE, betas=(0.5, 0.99))
    adam_d = torch.optim.Adam(model.discriminator.parameters(), lr=RATE, betas=(0.5, 0.99))
    untold = torch.zeros(BATCH, dtype=torch.long)

    def step(i: int) -> dict[str, float]:
        x = to_signed(paintings.draw(BATCH, rng).images)
        fake = model.generate(torch.rand(BATCH, QUANTITIES), torch.randint(len(STYLES), (BATCH,)))

        real_logit, fake_logit = model.logit(x, untold), model.logit(fake.detach(), untold)
        loss_d = softplus(-real_logit).mean() + softplus(fake_logit).mean()
        adam_d.zero_grad()
        torch.autograd.backward(loss_d)
        norms = {"grad_norm_d": grad_norm(model.discriminator)}
        if i % D_EVERY == 0:
            adam_d.step()

        loss_g = softplus(-model.logit(fake, untold)).mean()
        adam_g.zero_grad()
        torch.autograd.backward(loss_g)
        norms["grad_norm_g"] = grad_norm(model.generator)
        adam_g.step()
        return {"loss_d": loss_d.item(), "loss_g": loss_g.item()} | norms | said(real_logit, fake_logit)

    def modes() -> dict[str, float]:
        styles, _ = gan_truth.style_judge().name(image_features(model.sample(SHOWN, seed=0)))
        return {"modes": float((gan_truth.shares(styles) > gan_truth.COVERED).sum())}

    return train(step, steps=STEPS, seed=seed, log_every=STEPS // LOOKS, validate=modes, batch=BATCH)


def diverged(seed: int) -> StabilityRecord:
    """Let `vae-medical` learn from scratch, ever faster, until its loss is no number."""
    import torch

    model, rng = VaeMedical(seed=seed), np.random.default_rng(derive_seed(seed, "diverged"))
    weights = [*model.encoder.parameters(), *model.decoder.parameters(), model.log_sigma]
    descent = torch.optim.SGD(weights, lr=RATE_VAE)

    def step(i: int) -> dict[str, float]:
        descent.param_groups[0]["lr"] = RATE_VAE * GROWTH**i
        log_likelihood, kl = model.elbo(to_unit(phantoms.draw(BATCH, rng).images))
        loss = (kl - log_likelihood).mean() / PIXELS
        descent.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None]).item()
        descent.step()
        return {"loss": loss.item(), "kl": kl.mean().item(), "grad_norm": norm}

    return train(step, steps=STEPS, seed=seed, log_every=1, batch=BATCH)


KINDS: dict[str, tuple[str, Callable[[int], StabilityRecord]]] = {
    "mode-collapse": (
        "gan-art, played on against a D that is told no style and seldom learns: it loses modes",
        mode_collapse,
    ),
    "diverged": ("vae-medical, learnt by plain gradient descent at an ever higher rate: it diverges", diverged),
}


def records(seed: int = 0) -> dict[str, dict[str, Any]]:
    """Train both anew and return their records by name."""
    return {
        name: {
            "name": name,
            "what": what,
            "seed": seed,
            "command": "python -m generators.gan_art.unstable",
            "stability": run(seed).to_dict(),
        }
        for name, (what, run) in KINDS.items()
    }


def load_record(name: str) -> dict[str, Any]:
    """Read a shipped record.

    Raises
    ------
    ConfigurationError
        For an unknown name.
    """
    if name not in KINDS:
        raise ConfigurationError(f"no record of a training is called '{name}'.{did_you_mean(name, KINDS)}")
    out: dict[str, Any] = json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))
    return out


if __name__ == "__main__":
    RECORDS.mkdir(exist_ok=True)
    for name, record in records().items():
        lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
        (RECORDS / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        sys.stderr.write(f"wrote {RECORDS / name}.json\n")
