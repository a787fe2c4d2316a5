"""SegGPT and Painter on small networks with made-up weights, from the published files to a mask."""

import argparse

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("transformers", reason="the paper's models need the extra [models]")

from networks import small_seggpt
from transformers import SegGptConfig

import ipseg
from ipseg import weights
from ipseg.baselines import _in_context, painter
from ipseg.core import plugins
from ipseg.core.types import SettingError

pytestmark = pytest.mark.usefixtures("small_offline")

PROMPT, OBJECT = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)
THEIRS = (  # SegGPT's names, and Painter's for the same
    ("model.embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("model.embeddings.mask_token", "mask_token"),
    ("model.embeddings.segment_token_input", "segment_token_x"),
    ("model.embeddings.segment_token_prompt", "segment_token_y"),
    ("model.embeddings.position_embeddings", "pos_embed"),
    ("model.encoder.layernorm.", "norm."),
    ("model.encoder.layers.", "blocks."),
    (".attention.", ".attn."),
    (".mlp.lin", ".mlp.fc"),
    (".layernorm_before.", ".norm1."),
    (".layernorm_after.", ".norm2."),
    ("decoder.decoder_embed.", "decoder_embed."),
    ("decoder.decoder_pred.conv.", "decoder_pred.0."),
    ("decoder.decoder_pred.layernorm.", "decoder_pred.1."),
    ("decoder.decoder_pred.head.", "decoder_pred.3."),
)


@pytest.fixture(scope="module")
def engine(small_offline):
    return ipseg.load("offline")


@pytest.fixture(scope="module")
def small():
    return small_seggpt()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small):
    """Both as published: a folder of the Hub, and a training checkpoint beside it."""
    home = tmp_path_factory.mktemp("weights")
    small.save_pretrained(home / "seggpt-vit-large")
    torch.save({"model": published(small), "args": argparse.Namespace(lr=0.1)}, home / "painter_vit_large.pth")
    return home


def published(small) -> dict:
    """The weights as Painter's checkpoint names them: all but the two that Painter has not."""
    state = {}
    for name, value in small.state_dict().items():
        for ours, theirs in THEIRS:
            name = name.replace(ours, theirs)
        state[name] = value
    return {name: value for name, value in state.items() if "type_token" not in name}


@pytest.fixture
def build(engine, folder, small, monkeypatch):
    monkeypatch.setattr("transformers.SegGptConfig", lambda: small.config)
    engine.encodings.cache = type(engine.encodings.cache)(2**26)

    def make(name, **settings):
        with weights.using(folder):
            return plugins.method(name, engine, **settings)

    return make


@pytest.mark.parametrize("name", ["seggpt", "painter"])
def test_without_its_weights_it_says_what_it_takes(engine, tmp_path, monkeypatch, hub_home, name):
    hub_home(tmp_path)
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(weights.WeightError, match=f"1.5 GB.*weights fetch {name}"):
        plugins.method(name, engine)


@pytest.mark.parametrize("name", ["seggpt", "painter"])
def test_from_two_images_to_a_mask(build, name):
    method = build(name)
    result = method.segment(method.prompt(PROMPT, OBJECT), INPUT)
    assert result.mask.shape == (120, 83)
    assert 0 <= result.score <= 1
    assert result.status.has_mask == result.mask.any()
    again = method.segment(method.prompt(PROMPT, OBJECT), INPUT)
    np.testing.assert_array_equal(result.mask, again.mask)
    other = method.prompt(PROMPT)
    assert (method.prompt(PROMPT, OBJECT).source, other.source) == ("given", "saliency")


@pytest.mark.parametrize("embedding", ["instance", "semantic"])
def test_it_agrees_with_the_package_s_own_processing(build, small, embedding):
    from transformers import SegGptImageProcessor

    processor = SegGptImageProcessor(size={"height": 64, "width": 64})
    tall = np.ascontiguousarray(INPUT)
    asked = processor(
        images=tall,
        prompt_images=PROMPT,
        prompt_masks=OBJECT.astype(np.uint8),
        num_labels=1,
        return_tensors="pt",
    )
    with torch.no_grad():
        answer = small(**asked, embedding_type=embedding)
    (theirs,) = processor.post_process_semantic_segmentation(answer, [(120, 83)], num_labels=1)
    method = build("seggpt", embedding=embedding)
    ours = method.segment(method.prompt(PROMPT, OBJECT), INPUT).mask
    assert ours.any()
    assert not ours.all()
    assert (ours == theirs.numpy().astype(bool)).mean() > 0.99  # Pillow's and torchvision's bicubic differ a little


def test_every_weight_of_painter_has_its_place(small):
    made = painter.network(published(small), small.config)
    state = made.state_dict()
    for name, value in small.state_dict().items():
        assert torch.equal(state[name], torch.zeros_like(value) if "type_token" in name else value), name


def test_a_zero_embedding_changes_nothing(small):
    """Painter's forward pass has no embedding of the kind: both kinds give the same, and what SegGPT gives at zero."""
    made = painter.network(published(small), small.config)
    shown = [torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    with torch.no_grad():
        one, other = (made(*shown, embedding_type=kind).pred_masks for kind in ("semantic", "instance"))
        tokens = made.model.embeddings
        plain = tokens.patch_embeddings(torch.cat([shown[1], shown[0]], dim=2))
        plain = plain + tokens.segment_token_input + tokens.interpolate_pos_encoding(8, 4)
        whole = torch.cat([shown[2], shown[2]], dim=2)
        masked = torch.arange(32).reshape(1, 32) >= 16
        ours = tokens(torch.cat([shown[1], shown[0]], dim=2), whole, masked, "semantic")
    assert torch.equal(one, other)
    torch.testing.assert_close(ours[:1], plain)


def test_a_checkpoint_of_another_network_is_refused(small):
    state = published(small)
    state.pop("blocks.2.attn.rel_pos_h")
    with pytest.raises(weights.WeightError, match="not those of Painter"):
        painter.network(state, small.config)
    with pytest.raises(weights.WeightError, match="not those of Painter"):
        painter.network(published(small), SegGptConfig(**(small.config.to_dict() | {"image_size": [64, 32]})))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "painter_vit_large.pth").write_bytes(b"nothing")
    with weights.using(tmp_path), pytest.raises(weights.WeightError, match="damaged or cut short"):
        painter.load("painter")


def test_a_black_canvas_is_an_empty_answer(build, small, monkeypatch):
    method = build("seggpt")
    prompt = method.prompt(PROMPT, OBJECT)
    monkeypatch.setattr(method, "_paint", lambda *_: np.zeros((120, 83), np.float32))
    result = method.segment(prompt, INPUT)
    assert (result.status, result.score) == ("not_detected", 0)


def test_the_mask_goes_in_white_on_black():
    shown = _in_context.painted_mask(OBJECT, 64)
    assert shown.shape == (64, 64, 3)
    assert set(np.unique(shown)) == {0, 255}
    assert abs((shown > 0).mean() - OBJECT.mean()) < 0.02


def test_an_unknown_embedding_is_refused(build):
    with pytest.raises(SettingError, match="choose one of: instance, semantic"):
        build("seggpt", embedding="panoptic")
