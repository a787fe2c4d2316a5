import numpy as np
import pytest

from ipseg.core.types import Candidates, Points, SettingError
from ipseg.method import refinement

POINTS = Points(np.array([[5, 5]], dtype=np.float32), np.empty((0, 2), dtype=np.float32))
SIZE = (12, 16)


def square(left, top, right, bottom):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : bottom + 1, left : right + 1] = True
    return mask


class Script:
    """A segmenter that gives these answers in turn, and records what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def predict(self, encoding, points, *, mask_logits=None, box=None, several=False):
        logits = None if mask_logits is None else float(mask_logits.mean())
        self.asked.append((encoding, points, logits, box, several))
        masks, scores = self.answers[len(self.asked) - 1]
        step = 10 * len(self.asked)
        logits = np.stack([np.full((4, 4), step + i, dtype=np.float32) for i in range(len(masks))])
        return Candidates(np.stack(masks), np.array(scores, dtype=np.float32), logits)


A, B, C = square(0, 0, 3, 3), square(4, 2, 9, 7), square(8, 8, 15, 11)


def test_single_is_the_best_of_several():
    segmenter = Script(([A, B, C], [0.2, 0.1, 0.3]))
    assert (refinement.single(segmenter, "image", POINTS).masks[0] == C).all()
    assert segmenter.asked == [("image", POINTS, None, None, True)]


def test_cascade_hands_logits_and_box_on():
    segmenter = Script(([A], [0.9]), ([A, B, C], [0.1, 0.3, 0.2]), ([C, B, A], [0.1, 0.2, 0.3]))
    assert (refinement.cascade(segmenter, "image", POINTS).masks[0] == A).all()
    assert segmenter.asked == [
        ("image", POINTS, None, None, False),
        ("image", POINTS, 10.0, None, True),
        ("image", POINTS, 21.0, (4.0, 2.0, 9.0, 7.0), True),
    ]


def test_cascade_has_no_box_when_the_second_pass_found_nothing():
    empty = np.zeros(SIZE, dtype=bool)
    segmenter = Script(([A], [0.9]), ([empty, B], [0.3, 0.1]), ([B, C], [0.1, 0.2]))
    assert (refinement.cascade(segmenter, "image", POINTS).masks[0] == C).all()
    assert segmenter.asked[2][2:4] == (20.0, None)


def test_of_equal_scores_the_first_wins():
    assert refinement.best(Script(([A, B, C], [0.1, 0.3, 0.3])).predict(None, POINTS)) == 1


@pytest.mark.parametrize("box", [(0, 0, 15, 11), (3, 4, 3, 4), (2, 0, 2, 11)])
def test_bounding_box_is_the_outermost_pixels(box):
    assert refinement.bounding_box(square(*box)) == box


def test_an_empty_mask_has_no_box():
    assert refinement.bounding_box(np.zeros(SIZE, dtype=bool)) is None


def test_a_correction_goes_on_from_the_answer_with_what_agrees():
    inside, outside = [[6, 4]], [[1, 10]]
    points = Points(np.array([*inside, *outside], np.float32), np.array([*outside, *inside], np.float32))
    answer = refinement.Candidates(B[None], np.ones(1, np.float32), np.full((1, 4, 4), 7, np.float32))
    clicks = Points(np.array([[15, 1]], np.float32), np.empty((0, 2), np.float32))
    wide = square(0, 0, 15, 3)
    segmenter = Script(([wide], [0.5]))
    assert (refinement.corrected(segmenter, "image", answer, points, clicks).masks[0] == wide).all()
    ((_, asked, logits, box, several),) = segmenter.asked
    assert (logits, box, several) == (7.0, None, False)
    assert asked.positive.tolist() == [*inside, [15, 1]]  # what the answer contradicts takes no part
    assert asked.negative.tolist() == outside


def test_a_chosen_point_gives_way_to_a_click_beside_it():
    near = np.array([[6, 4]], np.float32)
    nothing = np.empty((0, 2), np.float32)
    answer = refinement.Candidates(B[None], np.ones(1, np.float32), np.zeros((1, 4, 4), np.float32))
    segmenter = Script(([A], [0.5]))
    refinement.corrected(segmenter, "image", answer, Points(near, nothing), Points(nothing, near + 0.5))
    assert segmenter.asked[0][1].positive.tolist() == []


@pytest.mark.parametrize("clicks", [None, Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))])
def test_without_a_click_nothing_is_corrected(clicks):
    answer = refinement.Candidates(B[None], np.ones(1, np.float32), np.zeros((1, 4, 4), np.float32))
    assert refinement.corrected(Script(), "image", answer, POINTS, clicks) is answer


@pytest.mark.parametrize(("steps", "stays"), [(1.5, False), (1.6, False), (1.7, True)])
def test_a_tenth_of_the_longer_side_is_near(steps, stays):
    chosen, nothing = np.array([[6, 4]], np.float32), np.empty((0, 2), np.float32)
    answer = refinement.Candidates(B[None], np.ones(1, np.float32), np.zeros((1, 4, 4), np.float32))
    segmenter = Script(([A], [0.5]))
    refinement.corrected(
        segmenter, "image", answer, Points(chosen, nothing), Points(nothing, np.add(chosen, [[steps, 0]]))
    )
    assert len(segmenter.asked[0][1].positive) == stays


def test_points_on_the_border_of_the_image_stand_on_its_outermost_pixels():
    corners = np.array([[16, 12], [15.5, 11.5], [0, 0], [16, 0], [7, 11.5]], np.float32)
    answer = refinement.Candidates(C[None], np.ones(1, np.float32), np.zeros((1, 4, 4), np.float32))
    far = Points(np.array([[5, 5]], np.float32), np.empty((0, 2), np.float32))
    segmenter = Script(([B], [0.5]))
    refinement.corrected(segmenter, "image", answer, Points(corners, corners), far)
    asked = segmenter.asked[0][1]
    assert asked.positive.tolist() == [[16, 12], [15.5, 11.5], [5, 5]]
    assert asked.negative.tolist() == [[0, 0], [16, 0], [7, 11.5]]


def places(*given) -> np.ndarray:
    return np.array(given, np.float32).reshape(-1, 2)


def test_a_positive_click_off_the_mask_adds_the_best_candidate_that_agrees_with_the_negative_ones():
    clicks = Points(places((9.5, 9.5)), places((5.5, 3.5)))
    low = square(8, 8, 12, 11)
    segmenter = Script(([A], [0.9]), ([B | C, A, low], [0.9, 0.8, 0.3]))  # the best holds (5, 3), the next not (9, 9)
    answer = refinement.Candidates(A[None], np.ones(1, np.float32), np.zeros((1, 4, 4), np.float32))
    found = refinement.corrected(segmenter, "image", answer, Points(places(), places()), clicks)
    assert (found.masks[0] == (A | low)).all()
    _, asked, logits, box, several = segmenter.asked[1]
    assert (asked.positive.tolist(), asked.negative.tolist()) == ([[9.5, 9.5]], [[5.5, 3.5]])
    assert (logits, box, several) == (None, None, True)


def test_a_negative_click_on_the_mask_takes_at_most_half_of_it_away():
    # B has 36 pixels; the best candidate holds all of it, the next its lower third
    clicks = Points(places(), places((6.5, 6.5)))
    lower = square(0, 6, 15, 7)
    segmenter = Script(([B, lower], [0.9, 0.5]))
    found = refinement.obeying(segmenter, "image", B, clicks)
    assert (found == square(4, 2, 9, 5)).all()


def test_a_click_on_the_first_row_or_column_is_about_the_outermost_pixel():
    nothing = np.zeros(SIZE, bool)
    found = refinement.obeying(Script(([nothing], [0.9])), "image", nothing, Points(places((0.2, 0.4)), places()))
    assert np.argwhere(found).tolist() == [[0, 0]]
    found = refinement.obeying(Script(([nothing], [0.9])), "image", ~nothing, Points(places(), places((0.2, 0.4))))
    assert np.argwhere(~found).tolist() == [[0, 0]]


def test_of_the_candidates_for_a_click_the_best_of_those_that_are_small_enough_counts():
    # B has 36 pixels: the first candidate holds 24 of them, the second 12, the third just half
    clicks = Points(places(), places((6.5, 6.5)))
    two_thirds, third, half = square(0, 4, 15, 7), square(0, 6, 15, 7), square(0, 5, 15, 7)
    found = refinement.obeying(Script(([two_thirds, third, half], [0.9, 0.2, 0.5])), "image", B, clicks)
    assert (found == square(4, 2, 9, 4)).all()


def test_where_no_candidate_agrees_a_disc_obeys_the_click():
    size = (100, 200)  # DISC is 2 pixels
    nothing, mask = np.zeros(size, bool), np.zeros(size, bool)
    mask[:, :50] = True
    far, near = Points(places((80.5, 40.5)), places()), Points(places((80.5, 40.5)), places((81.5, 40.5)))
    ys, xs = np.nonzero(refinement.obeying(Script(([nothing], [0.9])), "image", mask, far) & ~mask)
    assert len(xs) == 13  # pixels whose centre is at most 2 away: 1 + 4 + 4 + 4
    assert {(x, y) for x, y in zip(xs, ys, strict=True) if abs(x - 80) + abs(y - 40) == 2} >= {(82, 40), (80, 42)}
    only = refinement.obeying(Script(([nothing], [0.9])), "image", mask, near) & ~mask
    assert np.argwhere(only).tolist() == [[40, 80]]  # half the way to the other click


def test_a_disc_goes_half_the_way_to_the_nearest_click_of_the_other_kind():
    nothing = np.zeros((100, 1000), bool)  # DISC is 10 pixels
    clicks = Points(places((80.5, 40.5)), places((88.5, 40.5), (80.5, 90.5)))
    found = refinement.obeying(Script(([nothing], [0.9])), "image", nothing, clicks)
    assert found.sum() == 49  # pixels whose centre is at most 4 away
    assert found[40, 76]
    assert found[44, 80]


def test_a_click_that_would_add_over_half_of_the_image_adds_a_disc():
    whole = np.ones(SIZE, bool)
    found = refinement.obeying(Script(([whole], [0.9])), "image", A, Points(places((12.5, 9.5)), places()))
    assert found[9, 12]
    assert found.sum() == A.sum() + 1


def test_of_two_clicks_on_one_pixel_the_positive_one_counts_and_others_all_hold():
    clicks = Points(places((5.5, 3.5), (15.9, 11.9)), places((5.2, 3.2), (8.5, 6.5)))
    nothing = np.zeros(SIZE, bool)
    found = refinement.obeying(Script(*[([nothing], [0.9])] * 4), "image", B, clicks)
    assert found[3, 5]
    assert found[11, 15]
    assert not found[6, 8]


def test_a_mask_that_agrees_with_its_clicks_stays_and_nothing_is_asked():
    segmenter = Script()
    assert (refinement.obeying(segmenter, "image", B, Points(places((5, 3)), places((0, 0)))) == B).all()
    assert segmenter.asked == []


class Priors(Script):
    """A segmenter that takes a prior, whose candidates differ in their logits."""

    def predict(self, encoding, points, *, mask_logits=None, prior=None, box=None, several=False):
        self.asked.append((points, mask_logits, prior, several))
        logits = np.float32([[[1, 0]], [[1, 1]], [[-1, 1]]])  # 0 is outside
        if not several:
            return Candidates(A[None], np.ones(1, np.float32), mask_logits[None])
        return Candidates(np.stack([A, B, C]), np.float32([0.3, 0.5, 0.4]), logits)


@pytest.mark.parametrize(("extra", "best"), [(None, 1), ([0.3, 0, 0], 0), ([0.1, -0.2, 0], 0), ([0, 0, 0.2], 2)])
def test_ranked_draws_the_candidate_of_the_highest_sum(extra, best):
    segmenter, odds, asked = Priors(), np.float32([[2, -2]]), []

    def mask_scores(masks):
        asked.append(masks)
        return None if extra is None else np.float32(extra)

    answer = refinement.ranked(segmenter, "image", POINTS, odds, mask_scores)
    (first, second) = segmenter.asked
    assert (first[0], first[1], first[3]) == (POINTS, None, True)
    np.testing.assert_array_equal(first[2], odds)
    assert not len(second[0].positive) + len(second[0].negative)
    assert (second[2], second[3]) == (None, False)
    np.testing.assert_array_equal(second[1], np.float32([[[1, 0]], [[1, 1]], [[-1, 1]]])[best])
    np.testing.assert_array_equal(answer.logits[0], second[1])
    np.testing.assert_array_equal(asked[0], [[[True, False]], [[True, True]], [[False, True]]])


def test_consensus_is_the_share_of_the_candidates_that_hold_a_pixel():
    segmenter, odds = Priors(), np.float32([[2, -2]])
    np.testing.assert_allclose(refinement.consensus(segmenter, "image", odds), [[2 / 3, 2 / 3]])
    ((points, logits, prior, several),) = segmenter.asked
    assert (len(points.positive), logits, several) == (0, None, True)
    np.testing.assert_array_equal(prior, odds)


def test_refinements_say_whether_they_need_a_prior():
    assert {name: each.needs_prior for name, each in refinement.REFINEMENTS.items()} == {
        "single": False,
        "cascade": False,
        "ranked": True,
    }
    with pytest.raises(SettingError, match="choose one of: single, cascade, ranked"):
        refinement.named("double")
