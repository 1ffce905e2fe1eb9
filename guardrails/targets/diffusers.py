"""``diffusers:<folder>``: a pipeline of `diffusers` that makes pictures, from text or from nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigurationError, ContentError, MissingExtraError, TargetError
from ..core.seeding import derive_seed32
from ..core.targets import Access, Modality
from ..kit.settings_file import parse_json, read_bounded
from .language.tokenizer_limits import check_emoji, check_parts
from .model_files.errors import first_line, target_errors
from .model_files.folder import MODEL, PICTURES, TOKENIZER, ModelFolder, parsed, read_model
from .model_files.quiet import offline, quiet
from .model_files.size import check_config
from .model_files.weights import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Image = NDArray[np.uint8]

INDEX = "model_index.json"
INSTALL = "pip install 'guardrails-audit[diffusers]'"
LIBRARIES = frozenset({"diffusers", "transformers"})
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
SETTINGS = (*MODEL, *PICTURES, *TOKENIZER, "scheduler_config.json")
STEPS = 25
BATCH = 8


class DiffusersTarget:
    """A pipeline from a local folder in the layout of `diffusers`.

    Only safetensors are read, and code that comes with a pipeline is never run. Each picture has its own seed, so the
    i-th of a seed is the same however many are asked for. A pipeline that makes pictures from text needs prompts: the
    i-th picture gets the i-th, and after the last comes the first again.

    Parameters
    ----------
    place : str
        The folder that ``pipeline.save_pretrained`` wrote.
    prompts : sequence of str, optional
        As `take_prompts`.
    steps : int
        Of the sampler.

    Raises
    ------
    TargetError
        For a folder that is missing, no such pipeline, has pickled weights or parts that need code of their own.
    MissingExtraError
        Where `diffusers` is not installed.
    """

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.WEIGHTS})
    available = None

    def __init__(self, place: str | Path, *, prompts: Sequence[str] | None = None, steps: int = STEPS) -> None:
        self.name, self.folder, self.steps = f"diffusers:{place}", Path(place), steps
        self._class, self._files = _checked(self.folder, self.name)
        try:
            with _quiet(), offline(), self._files.staged() as stage:
                self._pipeline = _load(stage)
        except TargetError as error:
            raise TargetError(f"{self.name}: the pipeline cannot be loaded ({error})") from None
        self._accepts = frozenset(inspect.signature(self._pipeline.__call__).parameters)
        self.prompts: list[str] | None = None
        if prompts is not None:
            self.take_prompts(prompts)

    @property
    def reads_text(self) -> bool:
        """Whether it makes pictures from text."""
        return "prompt" in self._accepts

    def take_prompts(self, prompts: Sequence[str]) -> None:
        """Make pictures from these texts from now on.

        Raises
        ------
        ConfigurationError
            For no prompts, for what is no text, and for a pipeline that reads none.
        """
        if not self.reads_text:
            raise ConfigurationError(f"{self.name}: {self._class} makes pictures from nothing and reads no prompts")
        if isinstance(prompts, str) or not prompts or not all(isinstance(p, str) and p.strip() for p in prompts):
            raise ConfigurationError(f"{self.name}: prompts are texts, one at least, none of them blank")
        self.prompts = list(prompts)

    def identity(self) -> dict[str, str]:
        """Return the hash of weights and configuration, of the prompts, and the versions that read them."""
        import hashlib

        asked = "\0".join(self.prompts or ())
        return {
            "sha256": self._files.sha256,
            "pipeline": self._class,
            "steps": str(self.steps),
            "prompts_sha256": hashlib.sha256(asked.encode()).hexdigest() if asked else "none",
            "diffusers": version("diffusers"),
            "torch": version("torch"),
        }

    def sample_images(self, n: int, *, seed: int) -> list[Image]:
        """Return n pictures.

        Raises
        ------
        TargetError
            Where a pipeline that reads text was given no prompts, or breaks.
        """
        import torch

        if self.reads_text and self.prompts is None:
            raise TargetError(f"{self.name}: {self._class} makes pictures from text; give --prompts, one a line")
        out: list[Image] = []
        for start in range(0, n, BATCH):
            places = range(start, min(start + BATCH, n))
            noises = [torch.Generator().manual_seed(derive_seed32(seed, f"{self.name} {i}")) for i in places]
            asked: dict[str, Any] = {"generator": noises, "num_inference_steps": self.steps, "output_type": "np"}
            if self.prompts is not None:
                asked["prompt"] = [self.prompts[i % len(self.prompts)] for i in places]
            else:
                asked["batch_size"] = len(places)
            asked = {name: value for name, value in asked.items() if name in self._accepts}
            try:
                with _quiet(), torch.no_grad():
                    made = np.asarray(self._pipeline(**asked).images)
            except Exception as error:  # a pipeline raises anything
                raise TargetError(f"{self.name}: it made no picture ({first_line(error)})") from None
            if made.ndim != 4 or len(made) != len(places) or not np.isfinite(made).all():
                raise TargetError(f"{self.name}: it made no pictures but an array of {made.shape}")
            pixels = (made.clip(0, 1) * 255).round().astype(np.uint8)
            out += list(np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels[..., :3])
        return out

    @property
    def white_box(self) -> _NoisePredictor | None:
        """What a pipeline that works on pixels says of noise; None of one that works on the codes of an autoencoder."""
        network: Any = getattr(self._pipeline, "unet", None)
        scheduler: Any = getattr(self._pipeline, "scheduler", None)
        plain = getattr(getattr(network, "config", None), "in_channels", 0) == 3 and not self.reads_text
        said = getattr(getattr(scheduler, "config", None), "prediction_type", None)
        if not plain or self._autoencoder is not None or said != "epsilon" or not hasattr(scheduler, "alphas_cumprod"):
            return None
        return _NoisePredictor(network, scheduler.alphas_cumprod)

    @property
    def _autoencoder(self) -> Any:
        return next((part for name in ("vae", "vqvae", "movq") if (part := getattr(self._pipeline, name, None))), None)

    def __getattr__(self, name: str) -> Any:
        # Only a pipeline with an autoencoder has this method, which is what says that it has one.
        if name == "rebuild" and "_pipeline" in self.__dict__ and self._autoencoder is not None:
            return self._rebuild
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")

    def _rebuild(self, x: Floats) -> Floats:
        """Return D(E(x)) of pictures (N, H, W, 3) in 0–1; what the sides have over multiples of 8 is mirrored out."""
        import torch

        height, width = x.shape[1:3]
        padded = np.pad(x, [(0, 0), (0, -height % 8), (0, -width % 8), (0, 0)], mode="symmetric")
        z = torch.from_numpy(np.ascontiguousarray(padded.transpose(0, 3, 1, 2), dtype=np.float32)) * 2 - 1
        with torch.no_grad():
            encoded = self._autoencoder.encode(z)
            code = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
            y = self._autoencoder.decode(code).sample
        out: Floats = ((y.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).double().numpy()[:, :height, :width]
        return out


class _NoisePredictor:
    """See `white_box.NoisePredictor`."""

    def __init__(self, network: Any, alpha_bar: Any) -> None:
        self._network, self.alpha_bar = network, alpha_bar.double().numpy()

    def predict_noise(self, x_t: Floats, t: int) -> Floats:
        import torch

        x = torch.from_numpy(np.ascontiguousarray(np.asarray(x_t, dtype=np.float32).transpose(0, 3, 1, 2)))
        with torch.no_grad():
            told: Floats = self._network(x, t).sample.permute(0, 2, 3, 1).numpy()
        return told


def _checked(folder: Path, name: str) -> tuple[str, ModelFolder]:
    """Return the class of a pipeline that needs `diffusers` and `transformers` alone, and its files."""
    if find_spec("diffusers") is None:
        raise MissingExtraError("diffusers", INSTALL)
    if not folder.is_dir():
        raise TargetError(f"{name}: no such folder; a pipeline is read from a local folder alone")
    if not (folder / INDEX).is_file():
        raise TargetError(f"{name}: no {INDEX} in the folder; pipeline.save_pretrained(folder) writes it")
    try:
        index = parse_json(read_bounded(inside(folder, INDEX)), INDEX)
    except (ContentError, TargetError) as error:
        raise TargetError(f"{name}: {INDEX} cannot be read ({error})") from None
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(kind, str):
        raise TargetError(f"{name}: {INDEX} names no pipeline of diffusers")
    for part, place in index.items():
        if isinstance(place, list) and not _is_known(place[0] if place else None):
            raise TargetError(f"{name}: its {part} is code of its own ({place[0]}), which is never run")
    if pickles := sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLES):
        raise TargetError(
            f"{name}: it holds pickled weights ({', '.join(pickles[:3])}), which can run code when loaded and are never"
            " read; pipeline.save_pretrained(folder) writes safetensors"
        )
    try:
        return kind, _files(folder, [part for part, place in index.items() if isinstance(place, list)])
    except TargetError as error:
        raise TargetError(f"{name}: the pipeline cannot be loaded ({error})") from None


def _files(folder: Path, parts: Sequence[str]) -> ModelFolder:
    """Return the files of a pipeline's parts, each held against the sizes that its settings announce."""
    whole = read_model(folder, [INDEX], config=INDEX)
    settings, weights = dict(whole.settings), dict(whole.weights)
    for part in parts:
        if not (folder / part).is_dir():
            continue
        inside(folder, part)
        for stem in ("diffusion_pytorch_model", "model"):
            files = read_model(folder / part, SETTINGS, stem=stem, below=part)
            settings |= files.settings
            weights |= files.weights
        config = settings.get(f"{part}/config.json")
        if config is not None:
            part_weights = [file for name, file in weights.items() if name.startswith(f"{part}/")]
            check_config(parsed(config, "config.json"), part_weights, f"{part}/config.json")
        tokenizer = settings.get(f"{part}/tokenizer.json")
        if tokenizer is not None:
            check_parts(parsed(tokenizer, "tokenizer.json"))
        emoji = settings.get(f"{part}/emoji.json")
        if emoji is not None:
            check_emoji(parsed(emoji, "emoji.json"))
    return ModelFolder(folder, settings, weights)


def _is_known(library: Any) -> bool:
    """Whether a part comes from `diffusers`, one of its pipelines' modules, or `transformers`."""
    if library is None or library in LIBRARIES:
        return True
    return (
        isinstance(library, str) and library.isidentifier() and find_spec(f"diffusers.pipelines.{library}") is not None
    )


def _load(stage: Path) -> Any:
    import torch

    with target_errors(INDEX):
        from diffusers import DiffusionPipeline

        pipeline = DiffusionPipeline.from_pretrained(
            stage, local_files_only=True, use_safetensors=True, trust_remote_code=False, torch_dtype=torch.float32
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what `diffusers` and `transformers` say below an error."""
    import warnings

    from diffusers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
