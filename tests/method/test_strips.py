"""Thin images: segmented window by window, and what is found put together again."""

from __future__ import annotations

import numpy as np
import pytest
import small_engine

from ipseg.core import geometry
from ipseg.core.masks import iou
from ipseg.core.result import Instance, Result
from ipseg.core.status import Status
from ipseg.core.types import Points, Similarity
from ipseg.engine import build
from ipseg.method import strips

HEIGHT = 20
RED = (200, 30, 40)
NONE = np.empty((0, 2), np.float32)


def strip(ratio: int, *objects: tuple[int, int], height: int = HEIGHT) -> tuple[np.ndarray, np.ndarray]:
    """A grey noisy image ``ratio`` times as wide as high with a red ellipse over each of the columns (first, last)."""
    rng = np.random.default_rng(ratio)
    image = rng.integers(90, 130, (height, ratio * height, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, : ratio * height]
    mask = np.zeros(image.shape[:2], bool)
    for first, last in objects:
        across = (x + 0.5 - (first + last) / 2) / ((last - first) / 2)
        mask |= across**2 + ((y + 0.5 - height / 2) / (0.4 * height)) ** 2 <= 1
    image[mask] = RED
    return image, mask


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0].astype(int) - image[..., 1] > 80


class Colour:
    """Segments what is red in one window, and counts; the score grows with what it sees."""

    def __init__(self):
        self.sizes: list[tuple[int, int]] = []
        self.clicks: list[Points | None] = []

    def __call__(self, window, *, clicks=None, progress=None):
        self.sizes.append(window.shape[:2])
        self.clicks.append(clicks)
        if progress:
            progress(0.5, "mask")
        mask = red(window)
        score = min(1.0, float(mask.mean()) * 2)
        status = Status.DETECTED if score > 0.1 else Status.NOT_DETECTED
        frame = geometry.squash_frame(mask.shape, (4, 16))
        values = geometry.to_cells(mask.astype(np.float32), frame)
        rows, columns = np.nonzero(mask)
        middle = np.float32([[columns.mean() + 0.5, rows.mean() + 0.5]]) if len(rows) else NONE
        points = Points(middle, NONE)
        parts = [mask & (np.arange(mask.shape[1]) >= at) & (np.arange(mask.shape[1]) < at + 80) for at in (0, 80)]
        found = tuple(Instance(each, points, score, status) for each in parts[:1] if each.any())
        similarity = Similarity(values, np.ones(frame.grid, bool), frame)
        return Result(window, mask, status, score, 0.1, 0.05, points, similarity, {"mask": 1.0}, found)


def likelihood(window: np.ndarray) -> float:
    return float(red(window).sum())


@pytest.mark.parametrize("ratio", [5, 10, 100])
@pytest.mark.parametrize("turned", [False, True])
def test_an_object_is_found_wherever_it_is_and_few_windows_are_segmented(ratio, turned):
    for first in (0, HEIGHT * ratio // 3, HEIGHT * (ratio - 2)):
        image, mask = strip(ratio, (first, first + 30))
        one, image, mask = Colour(), image.swapaxes(0, 1) if turned else image, mask.T if turned else mask
        result = strips.segment(np.ascontiguousarray(image), one, likelihood)
        assert result.mask.shape == result.image.shape[:2] == mask.shape
        assert result.status is Status.DETECTED
        np.testing.assert_array_equal(result.mask, mask)
        assert len(one.sizes) <= strips.TRIED + 2
        assert {tuple(sorted(size)) for size in one.sizes} == {(HEIGHT, 4 * HEIGHT)}
        x, y = np.floor(result.points.positive).astype(int).T
        assert mask[y, x].all()
        assert result.similarity.frame.image_size == mask.shape
        assert iou(geometry.to_image(result.similarity.values, result.similarity.frame) > 0.5, mask) > 0.5


def test_nothing_is_not_detected():
    image, _ = strip(30)
    one = Colour()
    result = strips.segment(image, one, likelihood)
    assert result.status is Status.NOT_DETECTED
    assert not result.mask.any()
    assert len(one.sizes) == 8 < len(geometry.windows(image.shape[:2]))


def test_an_object_longer_than_a_window_goes_on_in_those_beside_it():
    image, mask = strip(20, (60, 260))
    result = strips.segment(image, Colour(), likelihood)
    np.testing.assert_array_equal(result.mask, mask)


def test_two_objects_in_two_windows_are_not_one_mask():
    image, mask = strip(20, (20, 50), (330, 370))
    result = strips.segment(image, Colour(), likelihood)
    assert not result.mask[:, :200].any()
    np.testing.assert_array_equal(result.mask[:, 200:], mask[:, 200:])


def test_all_instances_are_counted_once_though_two_windows_see_each():
    image, mask = strip(20, (20, 50), (130, 160), (330, 370))
    one = Colour()
    result = strips.segment(image, one, likelihood, all_instances=True)
    assert len(one.sizes) == len(geometry.windows(image.shape[:2]))
    assert len(result.instances) == 3
    assert all(each.mask.shape == mask.shape for each in result.instances)
    np.testing.assert_array_equal(result.all_instances, mask)


def test_clicks_go_to_the_windows_that_hold_them():
    image, _ = strip(30, (20, 50))
    one = Colour()
    clicks = Points(np.float32([[500.5, 10.5]]), np.float32([[20.5, 1.5]]))
    strips.segment(image, one, lambda window: 0.0, clicks)
    positive = [each for each in one.clicks if each is not None and len(each.positive)]
    assert positive
    assert all(0 <= each.positive[0, 0] <= 4 * HEIGHT and each.positive[0, 1] == 10.5 for each in positive)
    assert any(each is not None and len(each.negative) for each in one.clicks)
    assert strips.within(None, (0, 0, 5, 5)) is None


def test_the_progress_rises_and_what_it_raises_ends_the_work():
    seen = []
    strips.segment(
        strip(100, (500, 530))[0], Colour(), likelihood, progress=lambda share, step: seen.append((share, step))
    )
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1

    def stop(share, step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        strips.segment(strip(100)[0], Colour(), likelihood, progress=stop)


def test_the_parts_of_a_prompt_image_that_show_its_object():
    _, mask = strip(50, (500, 540))
    (box,) = strips.parts_shown(mask.shape, mask)
    assert box[2] - box[0] == 4 * HEIGHT
    assert strips.cut(mask, box).sum() == mask.sum()
    _, long = strip(50, (100, 900))
    boxes = strips.parts_shown(long.shape, long)
    assert len(boxes) == 4
    assert all(strips.cut(long, each)[10].all() for each in boxes)  # those that the object fills


def test_the_window_in_which_an_object_stands_out():
    image, mask = strip(50, (700, 730))

    def stretched(window):  # a map that says something in every window
        values = window[..., 0].astype(np.float32)
        return (values - values.min()) / (values.max() - values.min())

    box = strips.most_salient(image, stretched)
    assert strips.cut(mask, box).sum() == mask.sum()


BOXES = [(0, 0, 20, 10), (10, 0, 30, 10), (20, 0, 40, 10)]  # each shares ten columns with the next


def seen(number: int, first: int, last: int) -> np.ndarray:
    """In a window of BOXES: all rows of the columns ``first`` to ``last`` of the image, both included."""
    mask = np.zeros((10, 20), bool)
    mask[:, first - BOXES[number][0] : last + 1 - BOXES[number][0]] = True
    return mask


@pytest.mark.parametrize(
    ("columns", "same"),
    [((10, 14), True), ((10, 13), False), ((18, 25), False), ((19, 25), False)],  # 5 and 4 of 9; 1 of 10; none
)
def test_masks_of_two_windows_are_of_one_object_above_one_half_of_what_both_see(columns, same):
    masks = seen(0, 10, 18), seen(1, *columns)
    assert strips.same(*masks, (BOXES[0], BOXES[1])) == same
    assert strips.groups([(0, masks[0]), (1, masks[1])], BOXES) == ([[0, 1]] if same else [[0], [1]])


def test_exactly_one_half_is_not_the_same():
    assert not strips.same(seen(0, 10, 19), seen(1, 10, 14), (BOXES[0], BOXES[1]))
    assert not strips.same(seen(0, 10, 19), seen(2, 20, 29), (BOXES[0], BOXES[2])), "they share nothing"


def test_an_object_in_three_windows_is_one_and_two_of_one_window_are_two():
    masks = [(0, seen(0, 2, 4)), (0, seen(0, 12, 19)), (1, seen(1, 12, 25)), (2, seen(2, 20, 25)), (2, seen(2, 33, 35))]
    assert strips.groups(masks, BOXES) == [[0], [1, 2, 3], [4]]


@pytest.fixture(scope="module", params=["compact", "offline"])
def engine(request):
    """On small images. Compact needs its weights: `make test` fetches them."""
    return build.assemble({"compact": small_engine.compact, "offline": small_engine.offline}[request.param]())


@pytest.fixture(scope="module")
def prompt(engine, make_scene):
    image, mask = make_scene(60, 80, RED)
    return engine.prompt(image, mask)


@pytest.mark.parametrize(
    ("engine", "ratio"), [("compact", 10), pytest.param("offline", 100, marks=pytest.mark.slow)], indirect=["engine"]
)
def test_an_engine_finds_the_object_of_a_thin_image(engine, prompt, ratio):
    height = 40
    first = height * (ratio - 1) - 60
    image, mask = strip(ratio, (first, first + 36), height=height)
    result = engine.segment(prompt, image)
    assert result.status is not Status.NOT_DETECTED
    assert iou(result.mask, mask) > 0.7


def test_a_thin_prompt_image_is_taken_with_and_without_a_mask(engine, make_scene):
    image, _ = strip(10, (230, 266), height=40)
    searched, truth = make_scene(60, 80, RED)
    marked = {"boxes": (225, 1, 270, 39)}
    for given, marks in ((None, {}), (None, marked)):
        prompt = engine.prompt(image, given, **marks)
        assert prompt.views[0].image.shape == (40, 160, 3)
        assert iou(engine.segment(prompt, searched).mask, truth) > 0.7


def test_both_sides_may_be_thin(engine):
    image, mask = strip(6, (100, 136), height=40)
    prompt = engine.prompt(image.swapaxes(0, 1).copy(), mask.T.copy())
    assert iou(engine.segment(prompt, image).mask, mask) > 0.7
