"""The comparison by nearest neighbours, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipseg.classical import palette
from ipseg.core import geometry, plugins, serialize
from ipseg.core.types import FeatureMap, InputFeatures, PromptFeatures
from ipseg.method import presence
from ipseg.method.scorers import nearest
from ipseg.method.scorers.nearest import Cells, Nearest, Settings

SIZE = (40, 40)
FRAME = geometry.squash_frame(SIZE, (1, 4))
RIGHT, UP, LEFT, DOWN = np.float32([[1, 0], [0, 1], [-1, 0], [0, -1]])
CROSS = FeatureMap("block10", np.float32([[RIGHT, UP, LEFT, DOWN]]) * 3, FRAME)  # its mean is 0
NOBODY = Cells({"block10": (np.float32([[1, 0]]),)}, {"block10": np.empty((0, 2), np.float32)}, np.float32([[1, 0]]))


def asked(*layers) -> InputFeatures:
    return InputFeatures(layers or (CROSS,), lambda: np.zeros(SIZE, np.float32))


def cells(foreground, background=(), semantic=((1, 0),)) -> Cells:
    rows = np.float32(background).reshape(-1, 2)
    return Cells({"block10": tuple(map(np.float32, foreground))}, {"block10": rows}, np.float32(semantic))


def test_the_mean_of_the_best_cosines():
    rows, others = np.float32([[1, 0], [0, 1]]), np.float32([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]])
    np.testing.assert_allclose(nearest.top(rows, others, 1), [1, 1])
    np.testing.assert_allclose(nearest.top(rows, others, 2), [0.9, 0.8], rtol=1e-6)
    np.testing.assert_allclose(nearest.top(rows, others, 9), [0.2, 0.4], rtol=1e-6)  # of all four


def test_features_are_centred_and_of_unit_length():
    shifted = replace(CROSS, values=CROSS.values + np.float32([5, -7]))
    np.testing.assert_allclose(nearest.centred(shifted), np.float32([[RIGHT, UP, LEFT, DOWN]]), atol=1e-6)


def test_the_background_is_subtracted_from_the_mean_over_scales():
    # scale 1: the best is RIGHT: 1, 0, -1, 0; scale 2: UP: 0, 1, 0, -1; half of the best background (LEFT): -1, 0, 1, 0
    settings = Settings(neighbours=1)
    scales, rest = (np.float32([RIGHT]), np.float32([UP])), np.float32([LEFT])
    found = nearest.similarity_map(CROSS, scales, rest, settings)
    assert found.shape == (1, 4, 1)
    np.testing.assert_allclose(found.ravel(), [0.5 + 0.5, 0.5, -0.5 - 0.5, -0.5], atol=1e-6)
    plain = nearest.similarity_map(CROSS, scales, rest, replace(settings, background=0.0))
    np.testing.assert_allclose(plain.ravel(), [0.5, 0.5, -0.5, -0.5], atol=1e-6)
    np.testing.assert_array_equal(nearest.similarity_map(CROSS, scales, rest[:0], settings), plain)


def test_five_neighbours_are_the_default():
    many = np.float32([[1, 0]] + [[0, 1]] * 4 + [[-1, 0]] * 9)
    found = nearest.similarity_map(CROSS, (many,), many[:0], Settings())
    np.testing.assert_allclose(found.ravel()[:2], [1 / 5, 4 / 5], atol=1e-6)


def test_similarity_is_log_odds_of_the_normalised_map():
    frame = geometry.squash_frame(SIZE, (5, 8))
    values = np.tile(np.float32([-1, 0]), (5, 8, 1))
    values[:2, :5] = (1, 0)  # ten cells of the object
    layer = FeatureMap("block10", values, frame)
    found = Nearest(Settings()).similarity(cells([[RIGHT]]), asked(layer), None)
    np.testing.assert_allclose(found.values[:2, :5], 8 * (1 - 0.45), rtol=1e-5)
    np.testing.assert_allclose(found.values[3], 8 * -0.45, rtol=1e-5)
    assert found.inside.all()
    assert found.frame == frame


def test_a_negative_prompt_lowers_what_it_explains_better():
    frame = geometry.squash_frame(SIZE, (1, 40))
    values = np.tile(np.float32([-1, -1]), (1, 40, 1))
    values[0, :10], values[0, 10:20] = (1, 0.2), (0.9, 0.5)
    layer, scorer = FeatureMap("block10", values - values.mean((0, 1)), frame), Nearest(Settings(neighbours=1))
    prompt = cells([[RIGHT]])
    alone = scorer.similarity(prompt, asked(layer), None).values[0]
    other = scorer.similarity(prompt, asked(layer), cells([[nearest.centred(layer)[0, 15]]])).values[0]
    assert alone[15] > 0
    assert other[15] < 0 < other[5]
    same = scorer.similarity(prompt, asked(layer), cells([[LEFT]])).values[0]
    np.testing.assert_allclose(same[:10], alone[:10], atol=1e-5)  # what shows something else does no harm there


def test_presence_is_a_logistic_function_of_the_best_cosines_inside_the_mask():
    scorer = Nearest(Settings(presence_neighbours=1))
    left = np.zeros(SIZE, bool)
    left[:, :10] = True
    values = {}
    for degree in (0.42, 0.52, 1.0):
        prompt = cells([[RIGHT]], semantic=[[degree, (1 - degree**2) ** 0.5]])
        values[degree] = scorer.presence(prompt, asked(CROSS), None, left)
    assert values[0.42] == pytest.approx(0.5, abs=1e-5)
    assert values[0.52] == pytest.approx(1 / (1 + np.exp(-2.5)), abs=1e-5)
    assert values[1.0] == pytest.approx(1, abs=1e-5)
    assert scorer.presence(cells([[RIGHT]]), asked(CROSS), None, ~left) < 1e-4  # the mean of 0, -1 and 0
    assert scorer.presence(cells([[RIGHT]]), asked(CROSS), None, np.zeros(SIZE, bool)) == 0
    negative = cells([[RIGHT]], semantic=[[1, 0]])
    weak = cells([[RIGHT]], semantic=[[0.6, 0.8]])
    assert scorer.presence(weak, asked(CROSS), None, left) > 0.9
    assert scorer.presence(weak, asked(CROSS), negative, left) < 0.01  # 0.6 - 4 x 0.4
    assert scorer.presence(negative, asked(CROSS), weak, left) == pytest.approx(values[1.0])


def test_presence_takes_three_neighbours():
    prompt = cells([[RIGHT]], semantic=[[0.42 * 3, 0], [0, 1], [0, 1], [-1, 0]])
    left = np.zeros(SIZE, bool)
    left[:, :10] = True
    assert Nearest().presence(prompt, asked(CROSS), None, left) == pytest.approx(0.5, abs=1e-5)


def test_a_prompts_model():
    """Object cells of two scales, centres of the background of the first, and uncentred cells of the last layer."""
    frame, half = geometry.squash_frame(SIZE, (4, 8)), geometry.squash_frame(SIZE, (2, 4))
    values = np.tile(np.float32([0, 1]), (4, 8, 1))
    values[:, :4] = (3, 1)
    layers = [
        FeatureMap("block10", values, frame),
        FeatureMap("block15", values * 2, frame),
        FeatureMap("block10@480", values[::2, ::2], half),
        FeatureMap("block15@480", values[::2, ::2], half),
    ]

    def inside(asked_frame):
        columns = np.arange(asked_frame.grid[1]) < asked_frame.grid[1] // 2
        return np.tile(columns, (asked_frame.grid[0], 1))

    model = Nearest().model([PromptFeatures(tuple(layers), inside)])
    assert list(model.foreground) == ["block10", "block15"]
    assert [rows.shape for rows in model.foreground["block10"]] == [(16, 2), (4, 2)]
    np.testing.assert_allclose(np.concatenate(model.foreground["block10"]), [(1, 0)] * 20, atol=1e-6)
    np.testing.assert_allclose(model.background["block15"], [(-1, 0)] * 6, atol=1e-6)
    np.testing.assert_allclose(model.semantic, np.tile(np.float32([3, 1]) / 10**0.5, (20, 1)), rtol=1e-5)
    two = Nearest().model([PromptFeatures(tuple(layers), inside)] * 2)
    assert [rows.shape for rows in two.foreground["block10"]] == [(32, 2), (8, 2)]
    again = serialize.unpack(serialize.pack(model))
    np.testing.assert_array_equal(again.semantic, model.semantic)


def test_cells_of_the_object_and_of_the_background():
    share = np.float32([[0.6, 0.4, 0.3, 0.1, 0.1, 0]])
    assert nearest.inside_cells(share).tolist() == [[True, True, True, True, True, False]]  # four, and a tie
    assert nearest.inside_cells(np.float32([[0.9, 0.8, 0.7, 0.6, 0.5, 0]])).sum() == 4
    assert nearest.inside_cells(np.float32([[0.9, 0.8, 0.7, 0.6, 0.55, 0.51]])).all()  # more than half: not four alone
    layer = FeatureMap(
        "block10", np.arange(24, dtype=np.float32).reshape(1, 12, 2), geometry.squash_frame(SIZE, (1, 12))
    )
    share = np.float32([[1, 1, 1, 1, 0.3, 0.1, 0, 0, 0, 0, 0, 0]])
    inside, outside = nearest.object_cells(layer, share, Settings())
    assert (len(inside), len(outside)) == (4, 8)  # with eight of pure background all beside the object count
    share[0, 4] = 0.19
    assert len(nearest.object_cells(layer, share, Settings())[1]) == 8
    wide = FeatureMap("block10", np.zeros((1, 16, 2), np.float32), geometry.squash_frame(SIZE, (1, 16)))
    share = np.float32([[1] * 4 + [0.25] * 3 + [0] * 9])
    assert len(nearest.object_cells(wide, share, Settings())[1]) == 9  # more than eight: those alone
    share = np.float32([[1] * 4 + [0.25] * 4 + [0] * 8])
    assert len(nearest.object_cells(wide, share, Settings())[1]) == 12


def test_the_share_of_a_cell_is_counted_on_finer_cells():
    def inside(frame):
        assert frame.grid == (4, 8)
        found = np.zeros(frame.grid, bool)
        found[:, :3] = True
        return found

    image = PromptFeatures((CROSS,), inside)
    np.testing.assert_allclose(nearest.object_share(image, geometry.squash_frame(SIZE, (1, 2))), [[0.75, 0]])


def test_rows_are_spread_and_centres_are_the_same_each_time():
    rows = np.arange(10, dtype=np.float32)[:, None]
    assert nearest.spread(rows, 4).ravel().tolist() == [0, 3, 6, 9]
    assert len(nearest.spread(rows, 40)) == 10
    assert len(nearest.spread(rows[:0], 4)) == 0
    groups = np.repeat(np.float32([[0, 0], [9, 0], [0, 9]]), 5, axis=0)
    found = nearest.centres(groups, 3)
    assert sorted(map(tuple, found.tolist())) == [(0, 0), (0, 9), (9, 0)]
    np.testing.assert_array_equal(found, nearest.centres(groups, 3))
    np.testing.assert_array_equal(nearest.centres(groups[:2], 3), groups[:2])


def test_layers_with_a_scale_serve_the_prompt_alone():
    scorer, names = Nearest(), ["block10", "block15", "block10@480", "block15@480"]
    assert scorer.layer_weights(names) == {"block10": 0.5, "block15": 0.5}
    found = scorer.variants(names)
    assert list(found) == ["fused", "without background", "one neighbour", "without colour", "block10", "block15"]
    assert found["fused"] is scorer
    assert found["block15"].layer_weights(names) == {"block15": 1.0}
    assert scorer.mask_scores(NOBODY, asked(CROSS), None, np.zeros((1, 4, 4), bool)) is None
    assert plugins.declares("scorers", "nearest", "log_odds")
    assert isinstance(plugins.build("scorers", "nearest", neighbours=3), Nearest)


def test_the_objects_share_is_counted_once_for_each_frame(monkeypatch):
    counted, values = [], np.random.default_rng(5).standard_normal((8, 8, 4)).astype(np.float32)
    whole, half = (geometry.squash_frame((64, 64), grid) for grid in ((8, 8), (4, 4)))
    layers = (
        FeatureMap("block10", values, whole),
        FeatureMap("block15", values, whole),
        FeatureMap("block15@480", values[::2, ::2], half),
    )

    def cells(frame):
        counted.append(frame.grid)
        return np.pad(np.ones([n // 2 for n in frame.grid], bool), [(0, n - n // 2) for n in frame.grid])

    Nearest().model((PromptFeatures(layers, cells),))
    assert counted == [(32, 32), (16, 16)]


RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)


def of_colours(*columns) -> np.ndarray:
    """An image of 120 x 120 pixels: columns of equal width, each of one colour."""
    return np.repeat(np.uint8([columns]), 120, 0).repeat(120 // len(columns), 1)


def left_half(frame) -> np.ndarray:
    return np.tile(np.arange(frame.grid[1]) < frame.grid[1] // 2, (frame.grid[0], 1))


def coloured_prompt(*columns):
    layer = FeatureMap("block10", CROSS.values.repeat(4, 0), geometry.squash_frame((120, 120), (4, 4)))
    return Nearest().model([PromptFeatures((layer,), left_half, of_colours(*columns))])


def test_a_prompt_has_the_colours_of_its_object_and_of_its_background():
    inside, beyond = coloured_prompt(RED, BLUE).colours
    assert inside.sum() == pytest.approx(1, abs=1e-4)
    assert beyond.sum() == pytest.approx(1, abs=1e-4)
    red, blue = palette.bins(palette.of_image(of_colours(RED, BLUE))[0])[0, [0, -1]]
    assert inside.argmax() == red
    assert beyond.argmax() == blue
    assert inside[blue] == beyond[red] == 0
    assert Nearest().model([PromptFeatures((CROSS,), left_half)]).colours is None


def test_the_ratio_of_colours_by_hand():
    """The object's colour, the background's and one of neither, far from each other: each in a third of the input."""
    settings, frame = Settings(colour_blur=0.01), geometry.squash_frame((120, 120), (1, 3))
    model = coloured_prompt(RED, BLUE).colours
    found = nearest.colour_ratio(model, of_colours(RED, BLUE, GREEN), frame, settings)
    typical, peak = float((model[0] ** 2).sum()), float(model[0].max())  # blue is as smooth as red
    seen, unseen, floor = peak / 3, 0.2 * 0.5 * typical, 0.02 * typical
    ratios = np.log(
        [
            (peak + floor) / (0.3 * seen + unseen + floor),
            floor / (0.5 * peak + 0.3 * seen + unseen + floor),
            floor / (0.3 * seen + unseen + floor),
        ]
    )
    np.testing.assert_allclose(found, [3 * np.tanh(ratios / 3)], rtol=0.02)
    assert found[0, 0] > 0.5
    assert found[0, 1] < found[0, 2] < -2


def test_hills_of_other_colours_lose_similarity_where_a_high_one_has_the_objects():
    """Three hills 8 cells apart: their medians count, and only a hill of 0.8 or more can show the object's colours."""
    near, ratio = np.zeros((8, 24), np.float32), np.full((8, 24), -9, np.float32)
    heights, ratios = (1.0, 1.0, 0.7), (0.5, -0.4, -3.0)
    for hill, (height, value) in enumerate(zip(heights, ratios, strict=True)):
        near[1:7, 8 * hill + 1 : 8 * hill + 7] = height
        ratio[:, 8 * hill : 8 * hill + 8] = value
    ratio[:, [3, 11, 19]] = 9  # few cells of a hill do not change its median
    found = nearest.of_its_colours(near, ratio, Settings(colour=0.8))  # half agreed
    centres = found[4, [4, 12, 20]]
    np.testing.assert_allclose(centres, [1, 1 - 0.8 * 0.5 * 0.4, 0.7 * (1 - 0.8 * 0.5)], rtol=1e-5)
    assert not found[near == 0].any()
    wide = nearest.of_its_colours(near, ratio, Settings(colour=0.8, colour_range=2.0))[4, [4, 12, 20]]
    np.testing.assert_allclose(wide, [1, 1 - 0.8 * 0.25 * 0.2, 0.7 * (1 - 0.8 * 0.25)], rtol=1e-5)
    agreed_by_none = np.where(ratio == 0.5, -1, ratio)  # another light, or another individual
    np.testing.assert_array_equal(nearest.of_its_colours(near, agreed_by_none, Settings()), near)
    agreed_by_a_low_one = np.where(near == np.float32(0.7), 3, agreed_by_none)
    np.testing.assert_array_equal(nearest.of_its_colours(near, agreed_by_a_low_one, Settings()), near)
    np.testing.assert_array_equal(nearest.of_its_colours(near * 0, ratio, Settings()), near * 0)


def test_of_two_objects_alike_in_features_the_one_of_the_same_colour_is_chosen():
    frame = geometry.squash_frame((120, 120), (12, 12))
    values = np.tile(np.float32([-1, 0]), (12, 12, 1))
    values[3:9, 1:5] = values[3:9, 7:11] = (1, 0)
    layer, image = FeatureMap("block10", values, frame), np.full((120, 120, 3), 235, np.uint8)
    image[30:90, 10:50], image[30:90, 70:110] = GREEN, RED
    prompt = coloured_prompt(RED, BLUE)
    found = Nearest().similarity(prompt, InputFeatures((layer,), asked().foreground, image), None).values
    assert found[3:9, 7:11].min() > found[4:8, 1:5].max() + 1
    without = Nearest(Settings(colour=0)).similarity(prompt, InputFeatures((layer,), asked().foreground, image), None)
    np.testing.assert_allclose(without.values[3:9, 7:11], without.values[3:9, 1:5], rtol=1e-5)
    np.testing.assert_array_equal(without.values, Nearest().similarity(prompt, asked(layer), None).values)


def test_presence_is_lowered_where_the_mask_has_other_colours():
    prompt = coloured_prompt(RED, BLUE)
    layer = FeatureMap("block10", np.full((4, 4, 2), 1, np.float32), geometry.squash_frame((120, 120), (4, 4)))
    cosine = nearest.top(nearest.unit(layer.values).reshape(-1, 2), prompt.semantic, 3).mean()
    plain = nearest.logistic(float(cosine), 0.42, 25.0)
    image, left = of_colours(RED, GREEN), np.zeros((120, 120), bool)
    left[:, :60] = True
    seen = InputFeatures((layer,), asked().foreground, image)
    assert nearest.shared_colours(prompt.colours[0], image, left) == pytest.approx(1, abs=1e-3)
    assert nearest.shared_colours(prompt.colours[0], image, ~left) == 0
    assert nearest.shared_colours(prompt.colours[0], image, left | ~left) == pytest.approx(0.5**0.5, abs=0.01)
    assert Nearest().presence(prompt, seen, None, left) == pytest.approx(plain)
    assert Nearest().presence(prompt, seen, None, ~left) == pytest.approx(
        nearest.logistic(float(cosine) - 0.5 * 0.5, 0.42, 25.0), rel=1e-4
    )
    assert Nearest().presence(prompt, asked(layer), None, ~left) == pytest.approx(plain)  # without the image
    for scorer in (Nearest(), Nearest().of_small_masks):
        without = scorer.presence_without["colour"]
        assert without.presence(prompt, seen, None, ~left) == pytest.approx(plain)
        assert without.of_small_masks.presence(prompt, seen, None, ~left) == pytest.approx(plain)


def test_colours_of_a_mask_smaller_than_half_a_cell_are_those_of_its_cell():
    prompt, side = coloured_prompt(RED, BLUE), 4 * palette.CELLS
    image, mask = np.empty((side, side, 3), np.uint8), np.zeros((side, side), bool)
    image[:, : side // 2], image[:, side // 2 :] = RED, GREEN
    mask[8:10, 8] = True  # 2 of the 16 pixels of a cell
    assert nearest.shared_colours(prompt.colours[0], image, mask) == pytest.approx(1, abs=1e-3)
    assert nearest.shared_colours(prompt.colours[0], image, mask[:, ::-1]) == 0


def test_presence_of_a_mask_smaller_than_half_a_cell_is_that_of_its_cell():
    layer = FeatureMap("block10", np.float32([[[1, 0], [0.6, 0.8]]]), geometry.squash_frame((20, 40), (1, 2)))
    whole, part = np.zeros((2, 20, 40), bool)
    whole[:, 20:], part[4:8, 24:28] = True, True
    expected = Nearest().presence(NOBODY, asked(layer), None, whole)
    assert Nearest().presence(NOBODY, asked(layer), None, part) == pytest.approx(expected)
    assert Nearest().presence(NOBODY, asked(layer), None, ~whole) > expected


def test_a_small_mask_must_have_more_of_the_colours():
    prompt = coloured_prompt(RED, BLUE)
    layer = FeatureMap("block10", np.full((4, 4, 2), 1, np.float32), geometry.squash_frame((120, 120), (4, 4)))
    cosine = nearest.top(nearest.unit(layer.values).reshape(-1, 2), prompt.semantic, 3).mean()
    image, left = of_colours(RED, GREEN), np.zeros((120, 120), bool)
    left[:, :60] = True
    seen, small = InputFeatures((layer,), asked().foreground, image), Nearest().of_small_masks
    assert small.presence(prompt, seen, None, left) == Nearest().presence(prompt, seen, None, left)
    half = small.presence(prompt, seen, None, left | ~left)  # shares 0.71 of the 0.8 that a small mask needs
    missing = 0.8 - nearest.shared_colours(prompt.colours[0], image, left | ~left)
    assert half == pytest.approx(nearest.logistic(float(cosine) - missing, 0.42, 25.0), rel=1e-4)
    assert Nearest().presence(prompt, seen, None, left | ~left) > half


def wholly(*vectors, prompt=()):
    """The cross seen as a whole, and a prompt of these rows of each kind."""
    seen = InputFeatures((CROSS,), asked().foreground, whole=lambda mask: tuple(map(np.float32, vectors)))
    return replace(NOBODY, whole=tuple(map(np.float32, prompt))), seen


def test_presence_compares_objects_as_wholes_with_the_nearest_of_the_prompt_images():
    first = np.zeros(SIZE, bool)
    first[:, :10] = True  # the cell RIGHT: a cosine of 1
    prompt, seen = wholly([0.6, 0.8], [1, 0], prompt=([[0, 1], [1, 0]], [[0.25, 0.75**0.5 * 0.8], [0, -1]]))
    # 20 * 1 + 6 * max(0.8, 0.6) + 5 * sqrt(max(0.25, 0)) - 11.5
    odds = 20 + 6 * 0.8 + 5 * 0.25**0.5 - 11.5
    assert Nearest().presence(prompt, seen, None, first) == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)
    numbers = nearest.WholeObjects(cells=1, vectors=(2, 0), offset=-1, powers=(2, 1))
    odds = 1 + 2 * 0.8**2 - 1
    found = Nearest(Settings(whole=numbers)).presence(prompt, seen, None, first)
    assert found == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-5)
    assert Nearest().presence(prompt, seen, None, np.zeros(SIZE, bool)) == 0


def test_a_whole_that_is_unlike_counts_nothing():
    np.testing.assert_allclose(
        nearest.object_similarity((np.float32([1, 0]),), ([[-1, 0]] * np.float32([[1, 1]]),), (0.5,)), [0]
    )


def test_cells_alone_decide_where_features_say_nothing_of_wholes():
    first = np.zeros(SIZE, bool)
    first[:, :10] = True
    plain = nearest.logistic(1.0, 0.42, 25.0)
    prompt, seen = wholly([0, 1], [1, 0], prompt=([[0, 1]], [[1, 0]]))
    assert Nearest().presence(prompt, asked(), None, first) == pytest.approx(plain)
    assert Nearest().presence(NOBODY, seen, None, first) == pytest.approx(plain)


def test_a_negative_prompt_that_explains_the_whole_better_lowers_the_presence():
    first = np.zeros(SIZE, bool)
    first[:, 10:20] = True  # the cell UP: a cosine of 0 with both prompts
    prompt, seen = wholly([1, 0], [1, 0], prompt=([[0.6, 0.8]], [[1, 0]]))
    negative, _ = wholly(prompt=([[0.7, 0.51**0.5]], [[0, 1]]))
    worse, _ = wholly(prompt=([[0.5, 0.75**0.5]], [[0, 1]]))
    odds = 6 * (0.6 - 4 * 0.1) + 5 * 1 - 11.5
    found = Nearest().presence(prompt, seen, negative, first)
    assert found == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-4)
    assert Nearest().presence(prompt, seen, worse, first) == Nearest().presence(prompt, seen, None, first) > found


def test_a_model_holds_the_wholes_of_all_prompt_images():
    inside = lambda frame: np.ones(frame.grid, bool)  # noqa: E731
    images = [
        PromptFeatures((CROSS,), inside, whole=lambda place=place: (np.float32([place, 1 - place]),))
        for place in (0, 1)
    ]
    (rows,) = Nearest().model(images).whole
    np.testing.assert_array_equal(rows, [[0, 1], [1, 0]])
    assert Nearest().model([PromptFeatures((CROSS,), inside)]).whole == ()
    with pytest.raises(ValueError, match="vectors of whole objects"):
        replace(NOBODY, whole=(np.float32([2, 0]),))


def test_the_score_of_a_cell_is_that_of_a_mask_of_that_cell():
    prompt = coloured_prompt(RED, BLUE)
    values = np.float32([[[1, 0], [0.6, 0.8]], [[0, 1], [-1, 0]]])
    layer = FeatureMap("block10", values, geometry.squash_frame((40, 40), (2, 2)))
    scores, frame = Nearest().cell_scores([prompt, prompt], asked(layer))
    assert scores.shape == (2, 2, 2)
    assert frame == layer.frame
    for row in (0, 1):
        for column in (0, 1):
            mask = np.zeros((40, 40), bool)
            mask[20 * row : 20 * row + 20, 20 * column : 20 * column + 20] = True
            alone = Nearest().presence(prompt, asked(layer), None, mask)
            assert scores[:, row, column] == pytest.approx([alone, alone], rel=1e-5)


def test_a_region_scores_about_what_a_mask_of_its_cells_scores():
    prompts = [coloured_prompt(RED, BLUE), coloured_prompt(GREEN, BLUE)]
    values = np.float32([[[1, 0], [0.6, 0.8]], [[0, 1], [0.9, 0.4]]])
    layer = FeatureMap("block10", values, geometry.squash_frame((120, 120), (2, 2)))
    seen = InputFeatures((layer,), asked().foreground, of_colours(RED, GREEN))
    scorer, regions = Nearest(), np.zeros((3, 2, 2), bool)
    regions[0, :, 0] = regions[1, 0] = regions[2, 1, 1] = True
    cells, frame = scorer.cell_scores(prompts, seen)
    found = scorer.region_scores(prompts, seen, cells, regions, frame)
    assert found.shape == (2, 3)
    small = presence.small_regions(regions, frame)
    for number, region in enumerate(regions):
        mask = np.kron(region, np.ones((60, 60), bool))
        assert small[number] == (presence.crop_of_small(mask) is not None)
        by = scorer.of_small_masks if small[number] else scorer
        exact = [by.presence(prompt, seen, None, mask) for prompt in prompts]
        assert found[:, number] == pytest.approx(exact, rel=1e-3, abs=1e-4)
    without = scorer.region_scores(prompts, asked(layer), cells, regions, frame)
    assert without[0] == pytest.approx(without[1])
    assert (found[:, 0] < without[:, 0] + 1e-6).all()
    assert scorer.region_scores(prompts, seen, cells, regions[:0], frame).shape == (2, 0)
    assert Nearest().region_scores([prompts[0]], seen, np.ones((1, 2, 2), np.float32), regions[:1], frame) > 0.99


def test_a_model_has_the_same_layers_for_object_and_background():
    rows = np.float32([[1, 0]])
    for foreground, background in (({"a": (rows,)}, {"b": rows}), ({"a": (rows,)}, {}), ({}, {}), ({}, {"a": rows})):
        with pytest.raises(ValueError, match="expected the same layers"):
            Cells(foreground, background, rows)
