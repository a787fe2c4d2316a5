"""Segment many images in one `ipseg batch`, and again with three kills: python examples_media/long_run.py.

Draws small images, each another one, some without the object. One run goes through all of them; beside it another one
is ended by SIGKILL after a quarter, a half and three quarters of the images, and continued with --resume. Prints the
memory of the run in each quarter, and whether both made the same files. The exit code is 1 where they did not.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[1]
SIZE = (208, 56)  # width and height of an image
OBJECT, OTHERS = (200, 40, 45), ((60, 90, 190), (70, 140, 70), (220, 190, 60))


def image(chance: random.Random, colour: tuple[int, int, int]) -> Image.Image:
    """A ball of a colour with a band, before a background that nobody has asked about before."""
    width, height = SIZE
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 14, (height, width, 3))
    light = np.linspace(chance.uniform(90, 160), chance.uniform(90, 160), width)[None, :, None]
    drawn = Image.fromarray(np.clip(light + noise, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    pen, radius = ImageDraw.Draw(drawn), chance.uniform(0.36, 0.46) * height
    x, y = chance.uniform(radius, width - radius), height / 2
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    pen.rectangle((x - 0.7 * radius, y - 3, x + 0.7 * radius, y + 3), fill=(240, 235, 220))
    return drawn


def draw(folder: Path, count: int, seed: int) -> Path:
    """Write ``count`` images, of which each eighth lacks the object, and the prompt, whose path is returned."""
    (folder / "in").mkdir()
    for number in range(count):
        chance = random.Random(seed * 100_000 + number)  # noqa: S311 - no secret
        colour = chance.choice(OTHERS) if number % 8 == 7 else OBJECT
        image(chance, colour).save(folder / "in" / f"{number:05}.png")
    prompt = folder / "prompt.png"
    image(random.Random(seed * 100_000 - 1), OBJECT).save(prompt)  # noqa: S311 - no secret
    return prompt


def resident(pid: int) -> float:
    """MB of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024 if "VmRSS:" in status else 0.0


def run(command: list[str], stop_after: int | None = None) -> tuple[int, list[float]]:
    """Run a command, or end it by SIGKILL after so many lines; returns its exit code and MB at each line."""
    job = subprocess.Popen(  # noqa: S603 - ours
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    memory: list[float] = []
    for _ in job.stdout or ():
        memory.append(resident(job.pid))
        if len(memory) == stop_after:
            job.send_signal(signal.SIGKILL)
    return job.wait(), memory


def files(folder: Path) -> dict[str, bytes]:
    """Every file that a run made, but its cache."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if ".ipseg" not in path.parts}


def main() -> int:
    """Draw, run, compare, say."""
    parser = argparse.ArgumentParser(description="A long batch, with and without kills.")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompt = draw(folder, asked.images, asked.seed)

        def command(out: str, *more: str) -> list[str]:
            own = [sys.executable, "-m", "ipseg", "batch", str(prompt), str(folder / "in")]
            return [*own, "--output", str(folder / out), "--preset", asked.preset, *more]

        def killed() -> list[int]:
            part = asked.images // 4
            codes = [run(command("killed", "--resume"), (number + 1) * part)[0] for number in range(3)]
            return [*codes, run(command("killed", "--resume"))[0]]

        start = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            whole, stopped = pool.submit(run, command("whole")), pool.submit(killed)
            (code, memory), codes = whole.result(), stopped.result()
        seconds = time.perf_counter() - start
        one, other = files(folder / "whole"), files(folder / "killed")
        same = one == other and len(one) == asked.images + 1
    quarters = [max(memory[len(memory) * part // 4 : len(memory) * (part + 1) // 4]) for part in range(4)]
    print(
        f"{asked.preset}: {asked.images} images, twice, in {seconds:.0f} s; most MB in each quarter "
        f"{', '.join(f'{value:.0f}' for value in quarters)}; exit codes {code} and {codes}; {len(one)} files, "
        f"{'all equal' if same else 'NOT equal'} after three kills."
    )
    return 0 if same and code == 0 and codes == [-signal.SIGKILL] * 3 + [0] else 1


if __name__ == "__main__":
    sys.exit(main())
