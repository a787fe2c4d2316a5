"""What predicting costs beside the method: python examples_media/many_episodes.py [--episodes 10000] [--images 500].

Draws small images and makes a dataset of pairs of them; the engine is the offline one on a few cells, so that 10,000
episodes take minutes. Prints how often the encoders ran, the CPU time of the run over that of the encoders and the
matching alone, and the memory at ten moments. The exit code is 1 where an image was encoded twice.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ipseg.core import plugins
from ipseg.datasets import Annotated, Dataset, Episode, EvaluationProtocol, MaskFile
from ipseg.evaluation import predicting, runs
from ipseg.evaluation.predicting import Variant
from ipseg.evaluation.runs import Run
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.pipeline import IPSeg

SIZE = (72, 96)  # height and width of an image
MOMENTS = 10  # at which memory is read


@dataclass
class Timed:
    """A part of an engine that counts its calls, and the CPU seconds of the thread that calls it."""

    part: Any
    method: str = "__call__"
    calls: int = 0
    seconds: float = 0.0
    spent: list[float] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["part"], name)
        return self._timed(found) if name == self.__dict__["method"] else found

    def __call__(self, *given: Any) -> Any:
        return self._timed(self.part)(*given)

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                self.calls, self.seconds = self.calls + 1, self.seconds + time.thread_time() - start

        return call


def draw(folder: Path, count: int) -> list[Annotated]:
    """So many images of a coloured ellipse on noise, each with its mask."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    sides = []
    for number in range(count):
        random = np.random.default_rng(number)
        middle, half = random.uniform(0.35, 0.65, 2) * SIZE, random.uniform(0.15, 0.25, 2) * SIZE
        mask = ((y - middle[0]) / half[0]) ** 2 + ((x - middle[1]) / half[1]) ** 2 < 1
        pixels = random.integers(100, 140, (*SIZE, 3)).astype(np.uint8)
        pixels[mask] = ((200, 60, 40), (40, 160, 60), (60, 60, 200), (200, 180, 40))[number % 4]
        image, truth = folder / f"{number:04}.png", folder / f"{number:04}_mask.png"
        Image.fromarray(pixels).save(image)
        Image.fromarray(mask.astype(np.uint8) * 255).save(truth)
        sides.append(Annotated(image.name, image, MaskFile(truth)))
    return sides


def pairs(sides: list[Annotated], count: int) -> Dataset:
    """So many episodes of two images of one colour, in random order, as few-shot sets have them."""
    random, episodes = np.random.default_rng(0), []
    for number in range(count):
        shown = int(random.integers(len(sides)))
        other = (shown + 4 * int(random.integers(1, max(2, len(sides) // 4)))) % len(sides)
        episodes.append(Episode(f"{number:05}", sides[other], sides[shown], f"colour {shown % 4}"))
    return Dataset("many", tuple(episodes), EvaluationProtocol("pixels summed per colour"))


def engine() -> tuple[IPSeg, dict[str, Timed]]:
    """The offline engine on small pictures, and its encoders."""
    segmenter = plugins.build("segmenters", "graphcut", side=72, regions=80, proposal_side=48, outline_side=96)
    parts = {
        "features": Timed(plugins.build("features", "texture", side=96, cells=24, channels=256)),
        "saliency": Timed(plugins.build("saliency", "boundary", side=96, coarse=60, fine=120)),
        "segmenter": Timed(segmenter, "encode"),
    }
    config = IPSegConfig(refinement="ranked", erosion=0, threshold=0.16, reject_threshold=0.12)
    scorer = plugins.build("scorers", "density")
    return IPSeg(*parts.values(), scorer, config, info=EngineInfo("offline, small")), parts


def resident() -> float:
    """MB of memory that this process holds."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def main() -> int:
    """Draw, predict, say."""
    parser = argparse.ArgumentParser(description="The cost of many episodes over few images.")
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--cache-memory", type=float, default=0.05, help="GB of encodings in memory")
    asked = parser.parse_args()
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        dataset = pairs(draw(folder / "data", asked.images), asked.episodes)
        unique = {side.key for episode in dataset.episodes for side in (episode.prompt, episode.input)}
        plain, parts = engine()

        def report(done: int, of: int, miou: float | None) -> None:
            if done * MOMENTS // of > len(memory) - 1:
                memory.append(resident())

        with predicting.with_cache(plain, folder / "tier", memory=asked.cache_memory) as (cached, tier):
            methods = {"prompt": Timed(cached.prompt), "segment": Timed(cached.segment)}
            method: Any = type("Method", (), {each: staticmethod(timed) for each, timed in methods.items()})()
            about = {"method": "ipseg", "title": "IPSeg", "method_settings": {}, "given": False}
            record = runs.describe(cached, dataset, folder / "data", **about)
            run = Run.create(folder / "run", record, dataset)
            start = time.process_time()
            predicting.predict(
                [Variant(run, lambda category: method)],
                dataset.episodes,
                range(asked.episodes),
                release=lambda image: tier.discard(lambda key: key[-1] == image),
                report=report,
            )
            spent = time.process_time() - start
    calls = {part: each.calls for part, each in parts.items()}
    encoding = sum(each.seconds for each in parts.values())
    together = sum(each.seconds for each in methods.values())  # with the encoders, which they call
    print(
        f"{asked.episodes} episodes over {len(unique)} images: encoder calls {calls}; CPU seconds {spent:.1f}, of the "
        f"encoders {encoding:.1f} and of the matching {together - encoding:.1f}: {spent / together:.2f} times; MB at "
        f"each tenth {', '.join(f'{value:.0f}' for value in memory)}."
    )
    return 0 if max(calls.values()) <= len(unique) else 1


if __name__ == "__main__":
    sys.exit(main())
