import numpy as np
import pytest
from parity_rules import scene
from scipy.linalg import eigh

from ipseg.core import geometry, plugins
from ipseg.core.types import FeatureMap, SettingError
from ipseg.method.pipeline import IPSeg
from ipseg.method.scorers.cosine import Cosine
from ipseg.saliency import tokencut

SIZE = (90, 130)
IMAGE, OBJECT = scene("tokencut", *SIZE)


def features(frame=None, noise=0.6, name="dino", mask=OBJECT):
    """Made-up features: one direction for the object, one for the background, and noise."""
    frame = frame or geometry.letterbox_frame(SIZE, 24)
    rng = np.random.default_rng(3)
    share = geometry.to_cells(mask.astype(np.float32), frame)[..., None]
    target, background = rng.standard_normal((2, 32))
    values = share * target + (1 - share) * background + noise * rng.standard_normal((*frame.grid, 32))
    return FeatureMap(name, values.astype(np.float32), frame)


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("frame", [geometry.letterbox_frame(SIZE, 24), geometry.aspect_frame(SIZE, 25)])
@pytest.mark.parametrize("refine", [False, True])
def test_cuts_the_object_out(frame, refine):
    shown = plugins.build("saliency", "tokencut", refine=refine)(IMAGE, lambda: [features(frame)])
    assert shown.shape == SIZE
    assert shown.dtype == np.float32
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert iou(shown > 0.5, OBJECT) > 0.85


def test_the_vector_is_the_second_of_the_generalised_problem():
    layer = features()
    alike = tokencut.adjacency(layer.values[np.nonzero(geometry.cells_inside(layer.frame))], 0.2)
    weights = np.where(alike, 1.0, tokencut.WEAK)
    degrees = np.diag(weights.sum(axis=1))
    _, exact = eigh(degrees - weights, degrees, subset_by_index=[1, 1])
    assert abs(np.corrcoef(tokencut.second_eigenvector(alike), exact[:, 0])[0, 1]) > 0.9999


def test_only_the_part_with_the_seed_is_cached():
    two = np.zeros(SIZE, dtype=bool)
    two[20:70, 10:60], two[10:25, 100:115] = True, True
    cells = tokencut.cut(features(noise=0, mask=two))
    assert cells[:, :14].any() != cells[:, 14:].any()


def test_same_features_same_cut():
    cuts = [tokencut.cut(features(noise=1.5)) for _ in range(2)]
    assert (cuts[0] == cuts[1]).all()


@pytest.mark.parametrize("values", [np.ones((5, 5, 4)), np.zeros((5, 5, 4)), np.eye(25).reshape(5, 5, 25)])
def test_nothing_stands_out_where_there_is_no_cut(values):
    layer = FeatureMap("flat", values.astype(np.float32), geometry.squash_frame(SIZE, (5, 5)))
    assert (tokencut.TokenCut()(IMAGE, lambda: [layer]) == 0).all()


def test_tensors_and_arrays_agree():
    torch = pytest.importorskip("torch")
    layer = features()
    tensor = FeatureMap(layer.name, torch.from_numpy(layer.values), layer.frame)
    assert (tokencut.cut(layer) == tokencut.cut(tensor)).all()


def test_the_layer_is_a_setting():
    flat = FeatureMap("flat", np.ones((24, 24, 4), dtype=np.float32), geometry.letterbox_frame(SIZE, 24))
    assert (tokencut.TokenCut()(IMAGE, lambda: [flat, features()]) == 0).all()
    assert tokencut.TokenCut(tokencut.Settings(layer="dino"))(IMAGE, lambda: [flat, features()]).any()
    with pytest.raises(ValueError, match="s3"):
        tokencut.TokenCut(tokencut.Settings(layer="s3"))(IMAGE, lambda: [flat])


def test_a_tau_that_no_cosine_can_have_is_refused():
    with pytest.raises(SettingError, match="give a cosine"):
        plugins.build("saliency", "tokencut", tau=1.5)


def test_the_pipeline_hands_it_the_features_that_it_has():
    calls = []

    def extract(image):
        calls.append(image.shape)
        return (features(),)

    engine = IPSeg(extract, tokencut.TokenCut(), None, Cosine())
    view = engine.prompt(IMAGE).views[0]
    assert len(calls) == 1
    assert iou(view.saliency > 0.5, OBJECT) > 0.85
