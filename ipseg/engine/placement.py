"""Device, dtype and offload of every model, through accelerate. Nothing is imported or decided before a model comes.

placement = Placement()                     # "auto": the GPU where there is one, else the CPU
placement.place(sam, sam.image_encoder)     # everything on the device; the named parts are the heavy ones
part = placement.guard("segmenters", part)  # its calls fall back to "sequential" when the GPU's memory is short
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

from ipseg.core.choices import check_choice
from ipseg.core.types import InputError, SettingError
from ipseg.engine.guarded import guarded
from ipseg.engine.streams import Streams

COMPILER = "inductor"  # torch's own; it needs a C++ compiler on a CPU
MODES = ("auto", "resident", "sequential", "cpu")
TURN = "_ipseg_turn"  # where a part that takes turns carries its hook
DTYPES = ("auto", "float32", "bfloat16", "float16")


class PlacementError(InputError):
    """The device is too small for what was asked."""


class _Thread(threading.local):
    """What is known of a thread."""

    on_stream = False  # whether it works for another thread, which holds the placement's lock meanwhile


class Placement:
    """Where models run. One placement serves all models of an engine.

    Calls on a GPU go one at a time; on a CPU those of encoders do, each of which uses all cores: two at once took 1.6
    times as long as one after another.

    ``mode``: ``"resident"`` keeps every model on the device; in ``"sequential"`` the heavy parts take turns there and
    wait in the computer's memory; ``"cpu"``; ``"auto"`` is resident where torch finds a GPU, else cpu. ``dtype`` is
    that of the heavy parts: ``"auto"`` is float16 on a GPU (three bits more precise than bfloat16) and
    float32 on the CPU. ``notify`` is called with each notice, one message; ``notices`` lists them.

    Two options, neither of which was measured on a GPU. ``streams``: the encoders of one image run at once on a GPU
    with CUDA whose models are all resident; results are the same. ``compiler``: the heavy parts go through
    ``torch.compile`` with that backend, such as ``"inductor"``; the first images then take a minute or more each, and
    results differ by rounding. Parts that take turns are not compiled. CUDA graphs are not used: torch binds them to
    the thread that recorded them (pytorch#123177), and the page computes in many.
    """

    def __init__(
        self,
        mode: str = "auto",
        device: Any = None,
        dtype: str = "auto",
        notify: Callable[[str], None] | None = None,
        *,
        streams: bool = False,
        compiler: str = "",
    ) -> None:
        for value, known, label in ((mode, MODES, "placement"), (dtype, DTYPES, "dtype")):
            check_choice(value, known, f'There is no {label} "{{}}"')
        self._asked, self._device, self._dtype, self._notify = mode, device, dtype, notify
        self._placed: list[tuple[weakref.ref, tuple[weakref.ref, ...]]] = []  # no model is held by it
        self._waiting: list[weakref.ref] = []
        self._made: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
        self._lock = threading.RLock()
        self._sequential = mode == "sequential"
        self._thread = _Thread()
        self.streams, self.compiler = streams, compiler
        self.notices: list[str] = []

    @cached_property
    def device(self) -> Any:
        """The ``torch.device`` on which models run, with its index."""
        import torch

        if self._asked == "cpu":
            return torch.device("cpu")
        if self._device is not None:
            device = torch.device(self._device)
        elif torch.cuda.is_available():
            device = torch.device("cuda", torch.cuda.current_device())
        elif torch.backends.mps.is_available():
            device = torch.device("mps")
        elif self._asked == "auto":
            return torch.device("cpu")
        else:
            raise SettingError(
                f'torch finds no GPU here, so there is no placement "{self._asked}"; choose cpu or auto.'
            )
        return torch.device(device.type, 0) if device.type != "cpu" and device.index is None else device

    @cached_property
    def dtype(self) -> Any:
        """The ``torch.dtype`` of the heavy parts."""
        import torch

        if self._dtype != "auto":
            return getattr(torch, self._dtype)
        return torch.float32 if self.device.type == "cpu" else torch.float16

    @property
    def mode(self) -> str:
        """``"resident"``, ``"sequential"`` or ``"cpu"``: as it is now."""
        if self._sequential:
            return "sequential"
        return "cpu" if self.device.type == "cpu" and self._asked != "resident" else "resident"

    def describe(self) -> dict[str, str]:
        """For the record of a run."""
        found = {"mode": self.mode, "device": str(self.device), "dtype": str(self.dtype).removeprefix("torch.")}
        return found | ({"compiler": self.compiler} if self.compiler else {})

    @property
    def overlaps(self) -> bool:
        """Whether :meth:`at_once` computes at once, as it is now."""
        return self.streams and self.mode == "resident" and self.device.type == "cuda"

    def place(self, model: Any, *parts: Any, dtype: Any = None) -> Any:
        """Bring a torch module where it runs; returns it.

        ``parts`` are its heavy submodules: they get ``dtype`` (the placement's by default) and take turns in
        ``"sequential"``, while the rest stays on the device in float32. Without ``parts`` the whole model is heavy. A
        part must be called as a module, because only then the hook that brings it to the device runs. One that consists
        of convolutions says ``channels_last = True``: its weights then lie as a GPU's half precision wants them.
        """
        return self.run(self._place, model.eval(), parts or (model,), dtype or self.dtype)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was made for ``key`` as long as someone uses it, else ``make()``: engines share one network.

        The key names all that the network depends on; settings of how it is used do not belong into it.
        """
        with self._lock:
            found = self._made.get(key)
            if found is None:
                found = self._made[key] = make()
            return found

    def run(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """``function(*arguments, **settings)``; a GPU that runs out of memory is given one more chance, sequentially.

        Raises :class:`PlacementError` when that does not help.
        """
        if self.mode == "cpu" or self._thread.on_stream:
            return function(*arguments, **settings)
        with self._lock:
            for last in (False, True):
                try:
                    return function(*arguments, **settings)
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                self._free()  # outside of the except block, whose traceback holds what filled the memory
                if last or self._sequential:
                    break
                self._become_sequential()
        raise PlacementError(
            f"The memory of {self.device} is too small even with the models taking turns; choose a smaller preset, a "
            "smaller image size, or the placement cpu."
        )

    def run_alone(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """:meth:`run`, on a CPU too one call at a time. A call may make others, as of a fusion of extractors."""
        if self._thread.on_stream:
            return function(*arguments, **settings)
        with self._lock:
            return self.run(function, *arguments, **settings)

    def at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of independent calls, in their order; at once, each on its own stream, where it ``overlaps``.

        The calls must not wait for another thread, which may wait for this placement.
        """
        return self.run_alone(self._at_once, calls)

    def guard(self, kind: str, part: Any) -> Any:
        """The plug-in of ``kind``, its calls through :meth:`run` and :meth:`run_alone`; itself where no model is."""
        return guarded(kind, part, self) if self._placed else part

    def _at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        if not self.overlaps:
            return [call() for call in calls]
        return self._cuda_streams.run([partial(self._on_stream, call) for call in calls])

    def _on_stream(self, call: Callable[[], Any]) -> Any:
        before, self._thread.on_stream = self._thread.on_stream, True
        try:
            return call()
        finally:
            self._thread.on_stream = before

    @cached_property
    def _cuda_streams(self) -> Streams:
        import torch

        return Streams(torch.cuda, self.device)

    def _place(self, model: Any, parts: tuple[Any, ...], dtype: Any) -> Any:
        for part in parts:
            part.to(dtype=dtype)
            if getattr(part, "channels_last", False) and channels_last_pays(self.device.type, dtype):
                part.to(memory_format=_channels_last())
        if self._sequential:
            self._take_turns(model, parts)
        else:
            model.to(self.device)
            for part in parts if self.compiler else ():
                part.forward = compiled(part.forward, self.compiler)
        self._placed.append((weakref.ref(model), tuple(weakref.ref(part) for part in parts)))
        return model

    def _become_sequential(self) -> None:
        self._sequential = True
        for placed, parts in self._placed:
            if (model := placed()) is not None:
                self._take_turns(model, tuple(part for reference in parts if (part := reference()) is not None))
        self._free()
        notice = f"The memory of {self.device} is full, so the models now take turns on it; that is slower."
        self.notices.append(notice)
        if self._notify:
            self._notify(notice)

    def _take_turns(self, model: Any, parts: tuple[Any, ...]) -> None:
        from accelerate import cpu_offload_with_hook
        from accelerate.utils import set_module_tensor_to_device

        for part in parts:
            vars(part).pop("forward", None)  # the compiled one
            _, hook = cpu_offload_with_hook(part, self.device)
            part.register_forward_pre_hook(lambda module, _: self._make_room(module))
            object.__setattr__(part, TURN, hook)  # on the part, so that both go together
            self._waiting.append(weakref.ref(part))
        heavy = {id(tensor) for part in parts for tensor in chain(part.parameters(), part.buffers())}
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if id(tensor) not in heavy and tensor.device != self.device:
                set_module_tensor_to_device(model, name, self.device, clear_cache=False)

    @property
    def _turns(self) -> list[tuple[Any, Any]]:
        """The parts that take turns and are still in use, each with accelerate's hook."""
        alive = (reference() for reference in self._waiting)
        return [(part, getattr(part, TURN)) for part in alive if part is not None]

    def _make_room(self, module: Any) -> None:
        """Send every other part back, before accelerate brings ``module`` to the device."""
        for other, hook in self._turns:
            if other is not module and next(other.parameters()).device.type != "cpu":
                hook.offload()
                self._free()

    def _free(self) -> None:
        from accelerate.utils.memory import clear_device_cache

        clear_device_cache(garbage_collection=True)


def compiled(forward: Callable[..., Any], compiler: str) -> Callable[..., Any]:
    """A module's ``forward`` by ``torch.compile``, which compiles it in the first call of each shape.

    That call raises :class:`PlacementError` where it cannot.
    """
    import torch

    made = torch.compile(forward, backend=compiler, dynamic=False)

    def call(*arguments: Any, **settings: Any) -> Any:
        try:
            return made(*arguments, **settings)
        except torch._dynamo.exc.TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip() or type(error).__name__
            raise PlacementError(f"torch.compile fails here ({cause.splitlines()[0]}); leave out --compile.") from error

    return call


def channels_last_pays(device: str, dtype: Any) -> bool:
    """Whether convolutions want their channels last: on the tensor cores of CUDA, in half precision.

    Elsewhere torch's kernels take them first, or are as fast with either.
    """
    return device == "cuda" and dtype.itemsize == 2


def _channels_last() -> Any:
    import torch

    return torch.channels_last


def out_of_memory(error: BaseException) -> bool:
    """Whether a device ran out of memory: CUDA has an exception for it, MPS only a text."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()
