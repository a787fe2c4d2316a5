"""Small OpenMP loops run on one thread, and only they."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import ThreadpoolController

from ipseg.core.threads import one_thread
from ipseg.method import points


def counts() -> list[int]:
    """The threads of the OpenMP libraries, as the calling thread sees them."""
    return [each["num_threads"] for each in ThreadpoolController().select(user_api="openmp").info()]


@pytest.fixture
def two_threads():
    KMeans(1).fit(np.zeros((1, 2)))  # its OpenMP library is loaded
    with ThreadpoolController().limit(limits=2, user_api="openmp"):
        yield


def test_the_block_has_one_thread_and_what_comes_after_it_all_of_them(two_threads):
    assert set(counts()) == {2}
    with one_thread():
        assert set(counts()) == {1}
    assert set(counts()) == {2}
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert set(counts()) == {2}


def test_other_threads_keep_theirs():
    seen: list[list[int]] = []
    before = threading.Thread(target=lambda: seen.append(counts()))
    before.start()
    before.join()
    with one_thread():
        meanwhile = threading.Thread(target=lambda: seen.append(counts()))
        meanwhile.start()
        meanwhile.join()
    assert seen[0] == seen[1]


def test_the_points_are_clustered_on_one_thread(two_threads, monkeypatch):
    seen, fit = [], KMeans.fit

    def counted(self, *given, **settings):
        seen.append(set(counts()))
        return fit(self, *given, **settings)

    monkeypatch.setattr(KMeans, "fit", counted)
    points.cluster(np.array([[0, 0], [0, 1], [9, 9], [9, 8]]), 2, 0)
    assert seen == [{1}]
