"""Placement, with the CPU in the part of the device, and a GPU whose memory is short in a fake."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps

import numpy as np
import pytest
from lending import forked

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("accelerate", reason="the paper's models need the extra [models]")

from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.engine.placement import Placement, PlacementError, channels_last_pays

GPU = torch.cuda.is_available()


class Model(torch.nn.Module):
    """A heavy part, and a rest."""

    def __init__(self):
        super().__init__()
        self.encoder, self.head = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, values):
        return self.head(self.encoder(values).float())


def full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.")


@pytest.fixture(autouse=True)
def no_cleaning(monkeypatch):
    """Collecting the garbage of a whole test run takes longer than the test."""
    import accelerate.utils.memory

    monkeypatch.setattr(accelerate.utils.memory, "clear_device_cache", lambda garbage_collection=False: None)


def test_importing_and_choosing_loads_no_framework():
    code = "import sys; from ipseg.engine.placement import Placement; Placement('auto'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_cpu_is_float32():
    placement = Placement("cpu")
    assert placement.describe() == {"mode": "cpu", "device": "cpu", "dtype": "float32"}
    model = placement.place(Model())
    assert not model.training
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


@pytest.mark.skipif(GPU or torch.backends.mps.is_available(), reason="there is a GPU here")
def test_without_a_gpu_auto_is_the_cpu_and_resident_is_refused():
    assert Placement().mode == "cpu"
    for mode in ("resident", "sequential"):
        with pytest.raises(SettingError, match="no GPU here"):
            Placement(mode).place(Model())


@pytest.mark.parametrize("wrong", [{"mode": "fast"}, {"dtype": "int8"}])
def test_an_unknown_name_lists_the_known_ones(wrong):
    with pytest.raises(SettingError, match="choose one of: auto"):
        Placement(**wrong)


def test_only_the_heavy_part_is_in_half_precision():
    model = Model()
    placement = Placement("resident", device="cpu", dtype="bfloat16")
    placement.place(model, model.encoder)
    assert model.encoder.weight.dtype == torch.bfloat16
    assert model.head.weight.dtype == model.mean.dtype == torch.float32


def test_a_model_may_insist_on_its_dtype():
    placement = Placement("resident", device="cpu", dtype="bfloat16")
    assert placement.place(Model(), dtype=torch.float32).encoder.weight.dtype == torch.float32


class Sequential(Placement):
    """On the meta device, which takes no memory: what is there and what is not can be seen."""

    def __init__(self, **settings):
        super().__init__("sequential", device="meta", dtype="float32", **settings)


def where(*models):
    return ["".join("-m"[part.weight.device.type == "meta"] for part in (m.encoder, m.head)) for m in models]


def test_sequential_keeps_the_rest_there_and_the_heavy_part_away():
    model = Model()
    Sequential().place(model, model.encoder)
    assert where(model) == ["-m"]
    assert model.mean.device.type == "meta"


def test_encoders_take_turns_in_any_order(monkeypatch):
    """Every call brings its part to the device first, and sends the others back."""
    there, log = set(), []
    placement = Placement("sequential", device="cpu")
    models = [Model() for _ in range(3)]
    for model in models:
        placement.place(model, model.encoder)
    hooks = {id(part): hook for part, hook in placement._turns}

    def offload(part):
        there.discard(id(part))
        log.append(("back", [id(m.encoder) for m in models].index(id(part))))

    class Device:
        type = "gpu"

    for model in models:
        part, hook = model.encoder, hooks[id(model.encoder)]
        monkeypatch.setattr(hook, "offload", lambda part=part: offload(part))
        monkeypatch.setattr(
            part,
            "parameters",
            lambda part=part: iter([type("P", (), {"device": Device if id(part) in there else torch.device("cpu")})]),
        )

        def forward_pre(module, given):
            there.add(id(module))
            assert len(there) == 1, "two encoders on the device at once"

        part.register_forward_pre_hook(forward_pre)
    expected = [torch.nn.functional.linear(torch.ones(1, 3), m.encoder.weight, m.encoder.bias) for m in models]
    for i in (0, 1, 1, 2, 0, 2):
        torch.testing.assert_close(models[i].encoder(torch.ones(1, 3)), expected[i])
    assert log == [("back", 0), ("back", 1), ("back", 2), ("back", 0)]


def test_short_memory_moves_to_sequential_once_with_a_notice():
    notices, calls = [], []
    placement = Placement("resident", device="cpu", notify=notices.append)
    model = Model()
    placement.place(model, model.encoder)

    def once():
        calls.append(placement.mode)
        if len(calls) == 1:
            full()
        return model(torch.ones(1, 3))

    assert placement.run(once).shape == (1, 1)
    assert calls == ["resident", "sequential"]
    assert notices == placement.notices
    assert len(notices) == 1
    assert "take turns" in notices[0]
    assert hasattr(model.encoder, "_hf_hook")
    assert not hasattr(model.head, "_hf_hook")
    calls.clear()
    with pytest.raises(PlacementError, match="too small even with the models taking turns; choose"):
        placement.run(full)
    assert len(notices) == 1


def test_short_memory_while_loading_does_the_same(monkeypatch):
    placement, model = Placement("resident", device="cpu"), Model()
    moves = []

    def to(*given, real=model.to, **settings):
        moves.append(given)
        return full() if len(moves) == 1 else real(*given, **settings)

    monkeypatch.setattr(model, "to", to)
    placement.place(model, model.encoder)
    assert placement.mode == "sequential"
    assert [part for part, _ in placement._turns] == [model.encoder]


def test_other_errors_pass():
    placement = Placement("resident", device="cpu")

    def broken():
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        placement.run(broken)
    assert placement.mode == "resident"


def test_the_text_of_mps_is_understood():
    placement, calls = Placement("resident", device="cpu"), []

    def once():
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)")
        return "done"

    assert placement.run(once) == "done"


def test_a_guarded_plug_in_is_called_once_more_when_the_memory_is_full():
    placement, calls = Placement("resident", device="cpu"), []
    placement.place(Model())

    def saliency(image, features):
        calls.append(image)
        if len(calls) == 1:
            full()
        return len(calls)

    assert placement.guard("saliency", saliency)(None, None) == 2
    assert placement.mode == "sequential"


def test_nothing_stands_before_a_plug_in_without_a_model():
    part = object()
    assert Placement("cpu").guard("features", part) is part


def test_encoders_on_a_cpu_run_one_at_a_time_and_what_follows_does_not_wait():
    """Two passes at once, each on all cores, take longer than one after the other."""
    placement, inside, most = Placement("cpu"), [], []
    placement.place(Model())
    encoding, decoded = threading.Event(), threading.Event()

    class Segmenter:
        is_sam = False

        def encode(self, image):
            inside.append(1)
            most.append(len(inside))
            encoding.set()
            found = decoded.wait(600)
            inside.pop()
            return found

        def predict(self, *_, **__):
            decoded.set()

    part = placement.guard("segmenters", Segmenter())
    with ThreadPoolExecutor(4) as pool:
        encodings = [pool.submit(part.encode, None) for _ in range(3)]
        assert encoding.wait(600)
        part.predict(None, None)  # while an image is encoded
        assert [each.result() for each in encodings] == [True] * 3
    assert max(most) == 1


def test_a_fusion_on_a_cpu_calls_its_sources_within_its_own_turn():
    placement = Placement("cpu")
    placement.place(Model())
    source = placement.guard("features", lambda image: (image,))
    assert placement.guard("features", lambda image: source(image))(3) == (3,)


@pytest.mark.parametrize(
    ("device", "dtype", "pays"),
    [
        ("cuda", torch.float16, True),
        ("cuda", torch.bfloat16, True),
        ("cuda", torch.float32, False),
        ("cpu", torch.bfloat16, False),
        ("mps", torch.float16, False),
    ],
)
def test_channels_last_are_for_the_half_precision_of_cuda(device, dtype, pays):
    assert channels_last_pays(device, dtype) is pays


@pytest.mark.parametrize("pays", [True, False])
def test_a_part_of_convolutions_gets_its_channels_last_where_that_pays(pays, monkeypatch):
    monkeypatch.setattr("ipseg.engine.placement.channels_last_pays", lambda *_: pays)

    def layout(part):
        return part.weight.is_contiguous(memory_format=torch.channels_last)

    asks, other = torch.nn.Conv2d(4, 6, 3), torch.nn.Conv2d(4, 6, 3)
    asks.channels_last = True
    placement = Placement("resident", device="cpu")
    assert [layout(placement.place(each)) for each in (asks, other)] == [pays, False]


def in_a_child(test):
    """In a forked process: after torch.compile, no process that is forked from this one could compute gradients."""

    @wraps(test)
    def run():
        forked(test, pickle.dumps(((), {})))

    return run


@in_a_child
def test_heavy_parts_are_compiled_and_the_rest_is_not():
    """By a compiler that runs torch's operators as they are, so that no compiler of the machine is needed."""
    placement, model = Placement("resident", device="cpu", compiler="eager"), Model().eval()
    given = torch.ones(2, 3)
    expected = model(given)
    assert placement.describe()["compiler"] == "eager"
    assert placement.place(model, model.encoder) is model
    torch.testing.assert_close(model(given), expected, rtol=0, atol=0)
    assert "forward" in vars(model.encoder)
    assert "forward" not in vars(model.head)
    assert set(model.state_dict()) == {"encoder.weight", "encoder.bias", "head.weight", "head.bias", "mean"}
    graphs = torch._dynamo.testing.CompileCounter()
    other = Placement("cpu", compiler=graphs).place(Model())
    for _ in range(2):
        other(given)
    assert graphs.frame_count == 1


@in_a_child
def test_a_part_that_takes_turns_is_not_compiled():
    placement, model = Placement("resident", device="cpu", compiler="eager"), Model()
    given, calls = torch.ones(2, 3), []
    placement.place(model, model.encoder)
    model(given)

    def short():
        calls.append(1)
        return full() if len(calls) == 1 else model(given)

    placement.run(short)
    assert placement.mode == "sequential"
    assert model.encoder._old_forward.__func__ is torch.nn.Linear.forward
    later = placement.place(Model())
    assert later._old_forward.__func__ is Model.forward


@in_a_child
def test_what_cannot_be_compiled_is_one_message():
    def broken(graph, inputs):
        raise RuntimeError("no C++ compiler here")

    model = Placement("cpu", compiler=broken).place(Model())
    with pytest.raises(PlacementError, match=r"fails here \(no C\+\+ compiler here\); leave out"):
        model(torch.ones(2, 3))


def test_calls_on_a_gpu_go_one_at_a_time():
    placement, inside, most = Placement("resident", device="cpu"), [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        torch.ones(200, 200) @ torch.ones(200, 200)
        inside.pop()

    threads = [threading.Thread(target=placement.run, args=(work,)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert max(most) == 1


def test_the_registry_hands_it_to_those_that_ask(monkeypatch, tmp_path):
    import published

    from ipseg import weights

    published.dinov2(tmp_path, "dinov2-small")
    placement = Placement("resident", device="cpu", dtype="bfloat16")
    with weights.using(tmp_path):
        guarded = plugins.build("features", "dinov2", placement=placement, model="small", size=112)
        plain = plugins.build("features", "dinov2", model="small", size=112)
    assert next(guarded.part.model.parameters()).dtype == torch.bfloat16
    assert next(plain.model.parameters()).dtype == torch.float32
    image = np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)
    a, b = (part(image)[0].values for part in (guarded, plain))
    assert torch.nn.functional.cosine_similarity(a, b, dim=-1).min() > 0.99
    plugins.build("saliency", "none", placement=placement)  # asks for nothing
