"""Run two hundred jobs on the page and draw its memory: python examples_media/soak.py [--jobs 200] [--clients 40].

Starts the demo on a free port with the default engine, whose weights must be here. The clients ask at once, over all
endpoints, about images that are all different, so that few results come from caches. Writes soak.svg and prints one
line; ends at once where the page has an endpoint that is not asked here.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageEnhance

ROOT = Path(__file__).resolve().parents[1]
IMAGES = sorted((ROOT / "examples_media" / "Images").rglob("*.jpg"))
KINDS, CASES = ("guitar", "lamp", "umbrella"), ("cut_off", "hidden", "crowded", "tiny", "night")
USUAL = (  # what is asked, in turn; a name after "+" is a way to ask it
    *("segment", "segment+clicks", "segment+negative", "segment+instances", "segment_all+instances", "label"),
    *("segment", "segment_all+negative", "compare", "batch", "batch+stop", "video", "prompt_sets", "failure_cases"),
    *("ablation", "patch_similarity"),
)
EVERY = 0.5  # seconds between two readings of the memory
PATIENCE = 600  # seconds of a client, whose machine is busy
TRIES, ANSWERS = 5, 20  # starts of the page, and answers after which it has started


def varied(folder: Path, chance: random.Random, scale: float = 0.5) -> Path:
    """An example image as nobody has asked about before: another crop, another light."""
    image = Image.open(chance.choice(IMAGES))
    edges = [chance.randrange(24) for _ in range(4)]
    image = image.crop((edges[0], edges[1], image.width - edges[2], image.height - edges[3]))
    image = ImageEnhance.Brightness(image).enhance(chance.uniform(0.8, 1.2))
    path = folder / f"{chance.getrandbits(64):016x}.png"
    image.resize((round(image.width * scale), round(image.height * scale))).save(path)
    return path


def clip(folder: Path, chance: random.Random) -> Path:
    """Eight frames of an image that moves."""
    image = cv2.imread(str(varied(folder, chance, 0.3)))
    height, width = image.shape[:2]
    path = folder / f"{chance.getrandbits(64):016x}.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 8, (width, height))
    for number in range(8):
        writer.write(np.roll(image, number, axis=1))
    writer.release()
    return path


def arguments(endpoint: str, way: str, folder: Path, chance: random.Random) -> dict:
    """Arguments for an endpoint, asked in one of its ways."""
    one = handle_file(varied(folder, chance))
    prompts = [{"image": one, "caption": None}]
    more = {
        "clicks": {"clicks": [[40, 30, 1], [4, 4, 0]]},
        "negative": {"negative_prompt": [{"image": handle_file(varied(folder, chance)), "caption": None}]},
        "instances": {"all_instances": True},
    }.get(way, {})
    if endpoint == "segment":
        return {"prompts": prompts, "image": handle_file(varied(folder, chance)), "mask": None, **more}
    if endpoint in ("segment_all", "compare"):
        images = [{"image": handle_file(varied(folder, chance)), "caption": None} for _ in range(2)]
        if endpoint == "segment_all":
            return {"prompts": prompts, "images": images, "mask": None, **more}
        return {"prompt": one, "images": images, "methods": ["ipseg", "persam"]}
    if endpoint == "label":
        shown = [*prompts, {"image": handle_file(varied(folder, chance)), "caption": None}]
        images = [handle_file(varied(folder, chance, 0.3)) for _ in range(2)]
        return {"examples": shown, "classes": ["one", "other"], "images": images, "export": ["coco", "yolo"]}
    if endpoint == "patch_similarity":
        return {"prompt": one, "image": handle_file(varied(folder, chance)), "x": 90, "y": 70}
    if endpoint == "ablation":
        return {"prompt": one, "image": handle_file(varied(folder, chance, 0.3))}
    if endpoint == "batch":
        return {"prompts": prompts, "images": [handle_file(varied(folder, chance, 0.3)) for _ in range(3)]}
    if endpoint == "video":
        return {"prompts": prompts, "clip": handle_file(clip(folder, chance)), "keyframes_per_second": 2}
    return {"kind": chance.choice(KINDS)} if endpoint == "prompt_sets" else {"case": chance.choice(CASES)}


@contextmanager
def serve(home: Path, preset: str, clients: int) -> Iterator[tuple[str, int]]:
    """The demo in a process of its own: its address and number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface"
    own = {"HF_HOME": os.environ.get("HF_HOME", str(cache)), "XDG_CACHE_HOME": str(home)}
    own["GRADIO_TEMP_DIR"] = str(home / "uploads")
    command = [sys.executable, "app.py", "--port", str(port), "--no-fetch", "--preset", preset]
    command += ["--max-queue", str(max(32, clients))]
    demo = started(command, {**os.environ, **own, "HF_HUB_OFFLINE": "1"}, f"http://127.0.0.1:{port}")
    try:
        yield f"http://127.0.0.1:{port}", demo.pid
    finally:
        demo.terminate()
        demo.wait(PATIENCE)


def started(command: list[str], environment: dict[str, str], url: str) -> subprocess.Popen[bytes]:
    """The demo when it answers; Gradio ends it where a busy machine answers its own first request too late."""
    for _ in range(TRIES):
        demo = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 - ours
        answered = 0
        while demo.poll() is None and answered < ANSWERS:
            time.sleep(1)
            with suppress(OSError):
                urllib.request.urlopen(url, timeout=PATIENCE).close()  # noqa: S310 - ours
                answered += 1
        if demo.poll() is None:
            return demo
    raise SystemExit("The page did not start; free the machine of other programs.")


def resident(pid: int) -> float:
    """MB of memory that a process holds."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def stopped(client: Client, given: dict, endpoint: str) -> None:
    """Start a job and stop it when its first output is there: it ends, with what is done until then."""
    job = client.submit(**given, api_name=f"/{endpoint}")
    while not job.done() and not job.outputs():
        time.sleep(EVERY)
    client.predict(api_name="/stop")
    try:
        job.result()
    except AppError as error:  # nothing was done until then
        if "stopped" not in str(error):
            raise


def soak(jobs: int, clients_at_once: int, preset: str, seed: int) -> tuple[list[tuple[int, float]], float]:
    """Run the jobs. Returns (jobs done, MB) over time, and the seconds that it took."""
    curve: list[tuple[int, float]] = []
    done, over = [], threading.Event()
    with tempfile.TemporaryDirectory() as name, serve(Path(name), preset, clients_at_once) as (url, pid):
        own = {"verbose": False, "httpx_kwargs": {"timeout": PATIENCE}}
        clients = [Client(url, download_files=f"{name}/{number}", **own) for number in range(clients_at_once)]
        folder = Path(name, "images")
        folder.mkdir()
        known = clients[0].view_api(print_info=False, return_format="dict")["named_endpoints"]
        there, asked = {endpoint.strip("/") for endpoint in known}, {name for way in USUAL for name in way.split("+")}
        asked -= {"clicks", "negative", "instances"}
        if there != asked:
            raise SystemExit(f"The page has the endpoints {sorted(there)}, and these are asked: {sorted(asked)}.")

        def one(number: int) -> None:
            chance = random.Random(seed * 10_000 + number)  # noqa: S311 - no secret
            endpoint, _, way = USUAL[number % len(USUAL)].partition("+")
            given = arguments(endpoint, way, folder, chance)
            if way == "stop":
                stopped(Client(url, download_files=f"{name}/stop-{number}", **own), given, endpoint)
            else:
                clients[number % clients_at_once].predict(**given, api_name=f"/{endpoint}")
            done.append(number)

        def watch() -> None:
            while not over.wait(EVERY):
                curve.append((len(done), resident(pid)))

        watcher, start = threading.Thread(target=watch), time.perf_counter()
        watcher.start()
        try:
            with ThreadPoolExecutor(clients_at_once) as pool:
                list(pool.map(one, range(jobs)))
        finally:
            over.set()
            watcher.join()
        return [*curve, (len(done), resident(pid))], time.perf_counter() - start


def draw(curve: list[tuple[int, float]], path: Path) -> None:
    """The curve as an SVG: jobs to the right, MB upwards from zero."""
    jobs, top = curve[-1][0], 100 * (int(max(memory for _, memory in curve)) // 100 + 1)
    x, y = (lambda done: 56 + 564 * done / jobs), (lambda memory: 230 - 200 * memory / top)
    line = " ".join(f"{x(done):.1f},{y(memory):.1f}" for done, memory in curve)
    rows = [
        f'<path d="M56 {y(value):.1f}H620" stroke="#d6d3d1"/><text x="48" y="{y(value) + 4:.1f}">{value}</text>'
        for value in range(0, top + 1, 100)
    ]
    marks = [f'<text x="{x(value):.1f}" y="250">{value}</text>' for value in range(0, jobs + 1, max(1, jobs // 4))]
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 270" font-family="system-ui, sans-serif" '
        'font-size="12" fill="#57534e"><rect width="640" height="270" fill="#fff"/><g text-anchor="end">'
        + "".join(rows)
        + "</g>"
        '<g text-anchor="middle">' + "".join(marks) + '<text x="338" y="266">jobs done</text></g>'
        '<text x="8" y="16">MB resident</text>'
        f'<polyline points="{line}" fill="none" stroke="#b45309" stroke-width="1.2"/>'
        "</svg>\n"
    )


def main() -> None:
    """Ask, draw, say."""
    parser = argparse.ArgumentParser(description="Run many jobs on the page and draw its memory.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--clients", type=int, default=40, help="how many ask at once")
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "examples_media" / "soak.svg")
    asked = parser.parse_args()
    curve, seconds = soak(asked.jobs, asked.clients, asked.preset, asked.seed)
    draw(curve, asked.output)
    places = [(4 * done // (asked.jobs + 1), memory) for done, memory in curve]
    quarters = [max(memory for place, memory in places if place == part) for part in range(4)]
    print(
        f"{asked.preset}, {asked.clients} clients: {asked.jobs} jobs in {seconds:.0f} s, none failed; "
        f"most MB in each quarter "
        f"{', '.join(f'{value:.0f}' for value in quarters)}; {curve[-1][1]:.0f} at the end."
    )


if __name__ == "__main__":
    main()
