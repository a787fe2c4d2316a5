"""Calls on streams of their own, with a fake in the place of ``torch.cuda`` that notes what is asked of it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest

import ipseg
from ipseg.engine.placement import Placement
from ipseg.engine.streams import Streams, tensors
from ipseg.features.fusion import Fusion
from ipseg.method.config import EngineInfo

PATIENCE = 600  # seconds: a call that waits longer waits for one that never begins


class Cuda:
    """The part of ``torch.cuda`` that is used; the current stream belongs to a thread, as it does there."""

    def __init__(self):
        self.log, self.made, self._thread = [], 0, threading.local()

    def Stream(self, device):  # noqa: N802 - the name it has in torch.cuda
        self.made += 1
        return Stream(self.made, self.log)

    def current_stream(self, device):
        return getattr(self._thread, "stream", None) or Stream(0, self.log)

    @contextmanager
    def stream(self, stream):
        before = self.current_stream(None)
        self._thread.stream = stream
        yield
        self._thread.stream = before


@dataclass(frozen=True)
class Stream:
    number: int  # 0: the default one
    log: list

    def wait_stream(self, other):
        self.log.append((self.number, "waits for", other.number))


class Tensor:
    def __init__(self, made_on):
        self.made_on, self.used_on = made_on, []

    def record_stream(self, stream):
        self.used_on.append(stream.number)


@dataclass(frozen=True)
class Encoding:
    embedding: Tensor
    size: tuple[int, int] = (3, 4)


@pytest.fixture
def cuda():
    return Cuda()


@pytest.fixture
def placement(cuda, monkeypatch):
    """One that overlaps, as on a GPU."""
    made = Placement("resident", device="cpu", streams=True)
    assert not made.overlaps, "there is no CUDA on a CPU"
    monkeypatch.setattr(Placement, "overlaps", True)
    made._cuda_streams = Streams(cuda, made.device)
    return made


def test_calls_run_at_once_and_their_results_come_in_order(cuda):
    both = threading.Barrier(2)

    def call(name):
        both.wait(PATIENCE)
        return name, cuda.current_stream(None).number

    found = Streams(cuda, "cuda:0").run([lambda: call("first"), lambda: call("second")])
    assert [name for name, _ in found] == ["first", "second"]
    assert {number for _, number in found} == {1, 2}


def test_streams_begin_after_the_caller_s_and_it_goes_on_after_them(cuda):
    def call():
        cuda.log.append("computes")
        return Encoding(Tensor(cuda.current_stream(None).number))

    found = Streams(cuda, "cuda:0").run([call])
    assert cuda.log == [(1, "waits for", 0), "computes", (0, "waits for", 1)]
    assert found[0].embedding.made_on == 1
    assert found[0].embedding.used_on == [0], "its memory is used again only after what the default stream does"


def test_streams_are_used_again_and_calls_within_calls_have_others(cuda):
    streams = Streams(cuda, "cuda:0")
    for _ in range(2):
        nested, _ = streams.run([lambda: streams.run([lambda: cuda.current_stream(None).number]), lambda: None])
        assert nested[0] > 0
        assert cuda.made <= 3


def test_an_error_is_raised_and_the_streams_come_back(cuda):
    def broken():
        raise RuntimeError("CUDA out of memory")

    streams = Streams(cuda, "cuda:0")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="memory"):
            streams.run([broken, lambda: 1])
    assert cuda.made == 2


def test_tensors_are_found_in_every_kind_of_value():
    one, two, three = Tensor(0), Tensor(0), Tensor(0)
    value = (Encoding(one), {"levels": [two, np.ones(3)]}, three, "text", None, Encoding)
    assert list(tensors(value)) == [one, two, three]


def test_calls_on_streams_do_not_wait_for_the_lock_of_their_own_placement(placement):
    """The thread that asked for them holds it; theirs would wait for it forever."""
    guarded = [lambda number=number: placement.run_alone(placement.run, lambda: number) for number in range(3)]
    assert placement.at_once(guarded) == [0, 1, 2]


def test_short_memory_ends_the_streams_and_the_models_take_turns(placement, cuda, monkeypatch):
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    pytest.importorskip("accelerate", reason="the paper's models need the extra [models]")
    monkeypatch.setattr(Placement, "_free", lambda self: None)
    monkeypatch.setattr(Placement, "overlaps", property(lambda self: self.mode == "resident"))
    failed = []

    def call():
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.")
        return threading.current_thread() is threading.main_thread()

    assert placement.at_once([call]) == [True]
    assert placement.mode == "sequential"
    assert cuda.made == 1


def test_without_the_option_calls_run_in_the_caller_s_thread():
    calls = [threading.current_thread, threading.current_thread]
    assert Placement("cpu").at_once(calls) == [threading.current_thread()] * 2


def test_the_extractors_of_a_fusion_run_at_once(placement, cuda):
    both, ran = threading.Barrier(2), []

    def source(image):
        both.wait(PATIENCE)
        ran.append(cuda.current_stream(None).number)
        return ()

    assert Fusion([source, source], device=placement)(np.zeros((4, 4, 3), np.uint8)) == ()
    assert sorted(ran) == [1, 2]


def test_the_encoders_of_an_input_run_at_once_and_once(placement, make_scene, small_offline):
    """Those of the engine without networks, on streams that are none: the mask is the same."""
    both, asked, made = threading.Barrier(2), [], ipseg.load("offline")
    (shown, _), (image, _) = make_scene(), make_scene(seed=1)
    prompt = made.prompt(shown)
    expected = made.segment(prompt, image)

    def encoder(name, call):
        def counted(pixels):
            if np.array_equal(pixels, image):  # not a crop of it
                asked.append(name)
                both.wait(PATIENCE)
            return call(pixels)

        return counted

    engine = replace(made, features=encoder("features", made.features), info=EngineInfo("offline", placement=placement))
    made.segmenter.encode = encoder("encoding", made.segmenter.encode)
    for _ in range(2):
        np.testing.assert_array_equal(engine.segment(prompt, image).mask, expected.mask)
    assert sorted(asked) == ["encoding", "features"]
