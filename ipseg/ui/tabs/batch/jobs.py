"""The two jobs of "Batch and video": each yields outputs for the page, one image or keyframe after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from ipseg.annotations.coco import frame_name
from ipseg.batch import clips, image_set, inputs, video
from ipseg.batch.archive import Archive
from ipseg.batch.predictions import Predictor
from ipseg.core.types import ImageError
from ipseg.engine.spec import EngineSpec
from ipseg.method.config import Parameters
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.limits import Watch
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.prompts import Prompts, open_prompts
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.batch.render import Tally, caption
from ipseg.ui.widgets.inputs import whole

LOADING = '<div class="waiting" role="status">Reading the prompt.</div>'


@dataclass(frozen=True)
class Given:
    """The inputs of both jobs."""

    prompts: list[Any] | None
    mask: str | None
    parameters: Parameters
    spec: EngineSpec
    mask_value: float | None = None  # the value of the object, for a mask with several values


def images_job(
    pool: EnginePool, jobs: Jobs, page: Any, given: Given, files: Sequence[str], watch: Watch
) -> Iterator[tuple[Any, ...]]:
    """Every image of the files. Raises InputError when none can be used."""
    items = inputs.gather(files)
    prompts = _opened(given, watch)
    yield _cleared(LOADING)
    predictor, tally = _predictor(pool, jobs, given, prompts, watch), Tally("image", page.gallery)
    tally.total = len(items)
    tally.notices += predictor.session.prompt.notices
    with jobs.workplace() as folder:
        with Archive(folder, f"ipseg, engine {given.spec.name}") as archive:
            for outcome in image_set.run(predictor, items):
                tally.cached += outcome.earlier
                tally.done = outcome.number
                yield tally.bar(outcome.item.name), _added(archive, tally, outcome), *[gr.skip()] * 4
        _unless_all_failed(tally)
        yield _verdict(tally, watch, given), list(tally.overlays), gr.skip(), *_files(page, archive, tally), gr.skip()


def clip_job(
    pool: EnginePool, jobs: Jobs, page: Any, given: Given, path: Path, keyframes_per_second: float, watch: Watch
) -> Iterator[tuple[Any, ...]]:
    """Every frame of a clip."""
    video.check(keyframes_per_second)
    clip = clips.open_clip(path)
    prompts = _opened(given, watch)
    yield _cleared(LOADING)
    predictor, tally = _predictor(pool, jobs, given, prompts, watch), Tally("frame", page.gallery)
    tally.total = clip.frames
    tally.notices += predictor.session.prompt.notices
    with jobs.workplace() as folder:
        with (
            Archive(folder, f"ipseg, engine {given.spec.name}") as archive,
            clips.Writer(folder, f"{path.stem}_overlay", clip.fps, clip.size, sound=path) as writer,
        ):
            for frame in _readable(video.run(predictor, clip, per_second=keyframes_per_second), tally):
                drawn = _drawn(archive, tally, frame, writer, clip.name)
                if frame.is_keyframe:
                    at = f"{frame.time:.1f} s into the clip"
                    yield tally.bar(at), tally.show(drawn, caption(frame.prediction.status, at)), *[gr.skip()] * 4
        made = save_file_to_cache(writer.path, page.video.GRADIO_CACHE) if tally.done else None
        yield (
            _verdict(tally, watch, given),
            list(tally.overlays),
            gr.Video(made, visible=made is not None),
            *_files(page, archive, tally),
            gr.DownloadButton(value=made, interactive=made is not None),
        )


def _readable(frames: Iterator[video.VideoFrame], tally: Tally) -> Iterator[video.VideoFrame]:
    """The frames that can be read; one message where the clip has more."""
    try:
        yield from frames
    except clips.IncompleteClipError as error:
        tally.total = tally.done
        tally.notices.append(without_folders(str(error)))


def _opened(given: Given, watch: Watch) -> Prompts:
    """The prompts, checked and opened before any computation; the time limit is checked before each file."""
    if not given.prompts:
        raise ImageError("There is no image of the object yet; add one first.")
    paths = [path for path, _ in given.prompts]
    return open_prompts(paths, mask=given.mask, mask_value=whole(given.mask_value), on_open=watch.check)


def _predictor(pool: EnginePool, jobs: Jobs, given: Given, prompts: Prompts, watch: Watch) -> Predictor:
    engine = pool.engine(given.spec, lambda *_: watch.check())
    stop: dict[str, Any] = {"stop": lambda: watch.ended, "progress": lambda *_: watch.check()}
    return Predictor(engine, prompts.images, prompts.masks, folder=jobs.answers, parameters=given.parameters, **stop)


def _verdict(tally: Tally, watch: Watch, given: Given) -> str:
    stopped = watch.ended and tally.done < tally.total
    return tally.verdict(stopped, given.spec.name, watch.seconds if stopped and watch.late else None)


def _added(archive: Archive, tally: Tally, outcome: image_set.Outcome) -> Any:
    """One outcome into the archive and the counts; returns what the gallery takes."""
    prediction, item = outcome.prediction, outcome.item
    if prediction is None or outcome.image is None:
        tally.errors.append(without_folders(outcome.error))
        return gr.skip()
    tally.states[prediction.status] += 1
    archive.add(item.path, item.stem, prediction.guess, status=prediction.status, score=prediction.score)
    return tally.show(image_set.overlay(outcome.image, prediction), caption(prediction.status, item.name))


def _drawn(archive: Archive, tally: Tally, frame: video.VideoFrame, writer: clips.Writer, clip: str) -> Any:
    """One frame into the archive, the clip and the counts; returns its overlay."""
    prediction = frame.prediction
    tally.done, tally.total = frame.number, frame.total
    tally.states[prediction.status] += 1
    name = frame_name(clip, frame.number)
    archive.add(name, f"{frame.number:05}", frame.mask, status=prediction.status, score=prediction.score)
    drawn = image_set.overlay(frame.image, prediction, frame.mask)
    writer.write(drawn, frame.time)
    return drawn


def _files(page: Any, archive: Archive, tally: Tally) -> tuple[Any, Any]:
    """The two files, where the page serves and later deletes them."""
    if tally.done == len(tally.errors):
        return gr.skip(), gr.skip()
    masks = save_file_to_cache(archive.masks, page.masks_file.GRADIO_CACHE)
    coco = save_file_to_cache(archive.coco, page.coco_file.GRADIO_CACHE)
    return gr.DownloadButton(value=masks, interactive=True), gr.DownloadButton(value=coco, interactive=True)


def _cleared(status: str) -> tuple[Any, ...]:
    """Outputs that remove the results of an earlier run."""
    off = [gr.DownloadButton(value=None, interactive=False)] * 3
    return status, [], gr.Video(None, visible=False), *off


def _unless_all_failed(tally: Tally) -> None:
    if tally.errors and len(tally.errors) == tally.done == tally.total:
        first = tally.errors[0]
        raise ImageError(first if tally.total == 1 else f"None of the {tally.total} files can be used: {first}")
