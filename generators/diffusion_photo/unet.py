"""The U-Net [1]_ of denoising diffusion [2]_, small: two resolutions, the lower one with self-attention.

Every residual block is told the step t: sin and cos of t at many rates, then a layer, added to each channel. The
pictures come in as blocks of 2 × 2 pixels, and one leaves so: a quarter of the work, and 24 numbers a place are few
enough for the channels to keep.

.. [1] O. Ronneberger, P. Fischer and T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI
   2015, arXiv 1505.04597.
.. [2] J. Ho, A. Jain and P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv 2006.11239,
   appendix B.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

C, D = 40, 48
"""Channels at 16 × 16 and at 8 × 8."""
TIME = 64
INPUTS = 6
"""Channels that come in: two pictures."""
GROUPS = 8


def build() -> nn.ModuleDict:
    """Return the layers; those that end a branch start at 0, so that the branch at first adds nothing."""
    import torch
    from torch import nn

    def still(layer: nn.Conv2d) -> nn.Conv2d:
        for weight in layer.parameters():
            nn.init.zeros_(weight)
        return layer

    def block(inputs: int, outputs: int) -> nn.ModuleDict:
        return nn.ModuleDict(
            {
                "norm1": nn.GroupNorm(GROUPS, inputs),
                "conv1": nn.Conv2d(inputs, outputs, 3, padding=1),
                "time": nn.Linear(TIME, outputs),
                "norm2": nn.GroupNorm(GROUPS, outputs),
                "conv2": still(nn.Conv2d(outputs, outputs, 3, padding=1)),
                "skip": nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1),
            }
        )

    return nn.ModuleDict(
        {
            "time": nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU()),
            "into": nn.Conv2d(4 * INPUTS, C, 3, padding=1),
            "first": block(C, C),
            "shrink": nn.Conv2d(C, D, 3, stride=2, padding=1),
            "where": nn.ParameterList([nn.Parameter(torch.zeros(D, 8, 8))]),  # convolutions do not know the place
            "low": block(D, D),
            "attention": nn.ModuleDict(
                {
                    "norm": nn.GroupNorm(GROUPS, D),
                    "query_key_value": nn.Conv2d(D, 3 * D, 1),
                    "out": still(nn.Conv2d(D, D, 1)),
                }
            ),
            "grow": nn.Sequential(nn.Conv2d(D, C, 1), nn.Upsample(scale_factor=2)),
            "last": block(2 * C, C),
            "out": nn.Sequential(nn.GroupNorm(GROUPS, C), nn.SiLU(), still(nn.Conv2d(C, 12, 3, padding=1))),
        }
    )


def hidden(net: nn.ModuleDict) -> list[nn.Parameter]:
    """Return the weights of the convolutions that lie between others, not the first and not the last."""
    return [w for name, w in net.named_parameters() if w.ndim == 4 and not name.startswith(("into.", "out."))]


def forward(net: nn.ModuleDict, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return the network's output, (B, 3, 32, 32), for x of (B, 6, 32, 32) at the steps t, (B,)."""
    import torch
    from torch.nn.functional import pixel_shuffle, pixel_unshuffle

    time = net["time"](embedding(t))  # (B, TIME)
    first = _residual(net["first"], net["into"](pixel_unshuffle(x, 2)), time)  # (B, C, 16, 16)
    where: Any = net["where"]
    low = net["shrink"](first) + where[0]  # (B, D, 8, 8)
    low = _attend(net["attention"], _residual(net["low"], low, time))
    both = torch.cat([first, net["grow"](low)], dim=1)  # (B, 2 C, 16, 16)
    return pixel_shuffle(net["out"](_residual(net["last"], both, time)), 2)


def embedding(t: torch.Tensor) -> torch.Tensor:
    """Return sin and cos of t at rates from 1 down to 1/10,000: (B,) → (B, TIME)."""
    import torch

    rates = torch.exp(torch.arange(TIME // 2) * (-math.log(10_000) / (TIME // 2 - 1)))
    angles = t[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _residual(block: Any, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import silu

    h = block["conv1"](silu(block["norm1"](x))) + block["time"](time)[:, :, None, None]
    out: torch.Tensor = block["skip"](x) + block["conv2"](silu(block["norm2"](h)))
    return out


def _attend(layers: Any, x: torch.Tensor) -> torch.Tensor:
    """Let every place look at every other one: x + Out(softmax(Q Kᵀ / √D) V)."""
    from torch.nn.functional import scaled_dot_product_attention

    q, k, v = layers["query_key_value"](layers["norm"](x)).flatten(2).transpose(1, 2).chunk(3, dim=2)  # (B, 64, D)
    seen = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
    out: torch.Tensor = x + layers["out"](seen)
    return out
