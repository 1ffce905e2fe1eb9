"""A tiny pipeline, made here with random weights: text to picture through an autoencoder, and pixels from nothing."""

import json
import shutil

import numpy as np
import pytest

from guardrails.core.errors import ConfigurationError, MissingExtraError, TargetError
from guardrails.core.targets import Access, ImageTarget, Modality
from guardrails.targets import load_target
from guardrails.targets.diffusers import DiffusersTarget
from guardrails.targets.reconstruct import rebuilder

pytest.importorskip("diffusers")


def autoencoder():
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory):
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("text")
    torch.manual_seed(0)
    words = [*"abcdefghijklmnopqrstuvwxyz", *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = {w: i for i, w in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=16, projection_dim=16,
            bos_token_id=vocabulary["<|startoftext|>"], eos_token_id=vocabulary["<|endoftext|>"],
        )
    )  # fmt: skip
    network = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=4,
        norm_num_groups=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=autoencoder(),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=network,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    place = folder / "pipeline"
    pipeline.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def pixel_folder(tmp_path_factory):
    import torch
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=16, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("pixel")
    DDIMPipeline(network, DDIMScheduler()).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def painter(text_folder):
    return DiffusersTarget(text_folder, prompts=["a cat", "the sea"], steps=2)


@pytest.fixture(scope="module")
def dreamer(pixel_folder):
    return DiffusersTarget(pixel_folder, steps=2)


def test_pictures_come_from_prompts_and_a_seed(painter):
    assert isinstance(painter, ImageTarget)
    assert (painter.modality, painter.available) == (Modality.IMAGE, None)
    assert painter.access == {Access.OUTPUTS, Access.SAMPLING, Access.WEIGHTS}
    several = painter.sample_images(3, seed=1)
    assert [(p.shape, p.dtype) for p in several] == [((16, 16, 3), np.uint8)] * 3
    one = painter.sample_images(1, seed=1)[0].astype(int)
    assert np.abs(one - several[0]).max() <= 1, "the first of a seed does not depend on how many are asked for"
    assert (painter.sample_images(1, seed=2)[0] != several[0]).any()
    assert painter.sample_images(0, seed=1) == []


def test_prompts_change_pictures_and_identity(painter, text_folder):
    other = DiffusersTarget(text_folder, prompts=["zzz"], steps=2)
    assert (other.sample_images(1, seed=1)[0] != painter.sample_images(1, seed=1)[0]).any()
    mine, its = painter.identity(), other.identity()
    assert mine["sha256"] == its["sha256"]
    assert mine["prompts_sha256"] != its["prompts_sha256"]


def test_text_to_picture_needs_prompts(text_folder):
    target = load_target(f"diffusers:{text_folder}")
    with pytest.raises(TargetError, match="give --prompts"):
        target.sample_images(1, seed=0)
    for wrong in ([], "one text", [" "], [3]):
        with pytest.raises(ConfigurationError, match="prompts are texts"):
            target.take_prompts(wrong)


def test_a_pipeline_from_nothing_reads_no_prompts(dreamer):
    assert [p.shape for p in dreamer.sample_images(2, seed=0)] == [(16, 16, 3)] * 2
    with pytest.raises(ConfigurationError, match="reads no prompts"):
        dreamer.take_prompts(["a cat"])


def test_its_autoencoder_gives_pictures_back(painter):
    import torch

    x = np.random.default_rng(0).random((2, 11, 16, 3))
    y = rebuilder(painter)(x)
    assert y.shape == x.shape
    assert (y >= 0).all()
    assert (y <= 1).all()
    vae = painter._pipeline.vae
    z = torch.from_numpy(x[:, :8].transpose(0, 3, 1, 2)).float() * 2 - 1
    with torch.no_grad():
        want = vae.decode(vae.encode(z).latent_dist.mean).sample.clamp(-1, 1)
    np.testing.assert_allclose(painter.rebuild(x[:, :8]), (want.permute(0, 2, 3, 1).numpy() + 1) / 2, atol=1e-5)


def test_a_pixel_pipeline_tells_noise_and_has_no_autoencoder(dreamer):
    assert not hasattr(dreamer, "rebuild")
    box = dreamer.white_box
    assert box.alpha_bar.shape == (1000,)
    assert (np.diff(box.alpha_bar) < 0).all()
    assert box.predict_noise(np.zeros((2, 16, 16, 3)), 5).shape == (2, 16, 16, 3)
    x = np.random.default_rng(0).random((1, 16, 16, 3))
    assert rebuilder(dreamer)(x).shape == x.shape


def test_what_is_no_pipeline_is_one_clear_error(tmp_path, text_folder):
    with pytest.raises(TargetError, match="no such folder"):
        DiffusersTarget(tmp_path / "absent")
    with pytest.raises(TargetError, match=r"no model_index.json"):
        DiffusersTarget(tmp_path)
    index = tmp_path / "model_index.json"
    for text, why in (
        ("{", "cannot be read"),
        ("[]", "names no pipeline"),
        (json.dumps({"_class_name": ["mine", "Pipeline"]}), "names no pipeline"),
        (json.dumps({"_class_name": "DDPMPipeline", "unet": ["mine", "Network"]}), "code of its own"),
        (json.dumps({"_class_name": "NoSuchPipeline"}), "cannot be loaded"),
    ):
        index.write_text(text)
        with pytest.raises(TargetError, match=why):
            DiffusersTarget(tmp_path)
    place = shutil.copytree(text_folder, tmp_path / "copy")
    (place / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(TargetError, match="pickled weights"):
        DiffusersTarget(place)
    (place / "unet" / "diffusion_pytorch_model.bin").unlink()
    weights = place / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(TargetError, match="cannot be loaded"):
        DiffusersTarget(place)


@pytest.fixture
def place(tmp_path, pixel_folder):
    return shutil.copytree(pixel_folder, tmp_path / "copy")


def changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(place, *words):
    with pytest.raises(TargetError) as error:
        DiffusersTarget(place)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


def test_an_index_of_a_part_names_safetensors_in_its_folder_alone(place):
    weights = place / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(place / "elsewhere.safetensors")
    index = weights.with_name(weights.name + ".index.json")
    for name, why in (("../elsewhere.safetensors", "no file of the model's folder"), ("w.pkl2", "no safetensors file")):
        index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": name}}))
        refused(place, "cannot be loaded", why)
    index.unlink()
    weights.symlink_to(place / "elsewhere.safetensors")
    refused(place, "leads out")


def test_a_part_may_not_lie_elsewhere_or_announce_more_than_it_holds(place, tmp_path):
    changed(place / "unet" / "config.json", layers_per_block=10**7)
    refused(place, "unet/config.json says layers_per_block = 10,000,000")
    (place / "unet").rename(tmp_path / "unet")
    (place / "unet").symlink_to(tmp_path / "unet")
    refused(place, "leads out")


def test_what_lies_beside_the_parts_is_neither_run_nor_hashed(place, dreamer):
    """The identity is that of what is loaded, wherever it lies."""
    (place / "pipeline.py").write_text("raise SystemExit('ran')")
    (place / "unet" / "unet.py").write_text("raise SystemExit('ran')")
    (place / "notes.txt").write_text("later")
    changed(place / "unet" / "config.json", auto_map={"AutoModel": "unet.Unet"})
    made = DiffusersTarget(place)
    assert made.sample_images(1, seed=0)[0].shape == dreamer.sample_images(1, seed=0)[0].shape
    before = made.identity()["sha256"]
    (place / "notes.txt").write_text("sooner")
    assert DiffusersTarget(place).identity()["sha256"] == before
    changed(place / "unet" / "config.json", more=1)
    assert DiffusersTarget(place).identity()["sha256"] != before


def test_the_package_is_asked_for_where_it_is_missing(monkeypatch, text_folder):
    from guardrails.targets import diffusers

    monkeypatch.setattr(diffusers, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="guardrails-audit\\[diffusers\\]"):
        DiffusersTarget(text_folder)


def test_a_folder_of_a_pipeline_is_named_in_the_hint(text_folder):
    with pytest.raises(ConfigurationError, match="Did you mean 'diffusers:"):
        load_target(str(text_folder))
