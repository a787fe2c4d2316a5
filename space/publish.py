"""Put the demo on the Hugging Face Hub as a Space: the package, the page and the example images, as they are here.

    python space/publish.py --dry-run                # what would be sent, with sizes
    python space/publish.py --output folder          # the folder of the Space, to inspect or run
    HF_TOKEN=... python space/publish.py --repo owner/name

There is no second copy of the demo: the folder is assembled from this repository each time, and from the two small
weights of the engine "compact", which the repository does not contain: `python -m ipseg weights fetch compact` brings
them. They are sent unmodified, with their licence and origin (space/weights). The token comes from the environment
variable HF_TOKEN alone. Needs the package's base install, and huggingface_hub for the upload.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CARD = "README.md"
NAMED = {  # the place in the Space, and in the repository
    CARD: "space/README.md",
    "requirements.txt": "space/requirements.txt",
    "app.py": "app.py",
    "LICENSE": "LICENSE",
    "weights/LICENSE.txt": "space/weights/LICENSE.txt",
    "weights/README.md": "space/weights/README.md",
    "examples_media/README.md": "examples_media/README.md",
    "examples_media/contact_sheet.jpg": "examples_media/contact_sheet.jpg",
    "examples_media/thumbnail.jpg": "examples_media/thumbnail.jpg",
}
FOLDERS = {  # all files of these kinds below
    "ipseg": (".py",),
    "examples_media/Images": (".jpg", ".png"),
    "examples_media/Annotations": (".png",),
    "examples_media/galleries": (".jpg", ".png", ".json"),
}
PRESET = "compact"  # whose weights are sent: they are small, and a Space's build can preload from the Hub alone
REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0 on success, 1 with one error message, 2 for wrong usage."""
    chosen = _parsed(arguments)
    try:
        files = dict(sorted({**listed(ROOT), **weight_files()}.items()))
    except UnusableWeightsError as error:
        return _fail(str(error))
    if chosen.output:
        if chosen.output.exists() and (not chosen.output.is_dir() or any(chosen.output.iterdir())):
            return _fail(f"{chosen.output} is not an empty folder; give another one.")
        assemble(files, chosen.output, chosen.repo)
        print(f"{chosen.output}: {describe(files).splitlines()[-1]}")
    if chosen.dry_run:
        print(describe(files))
    if chosen.dry_run or chosen.output:
        return 0
    return upload(files, chosen.repo)


class UnusableWeightsError(Exception):
    """Weights that are to be sent are not here, or are not what their makers published."""


def weight_files() -> dict[str, Path]:
    """The weights that are sent, as :func:`listed`, checked by sha256. Raises :class:`UnusableWeightsError`."""
    sys.path.insert(0, str(ROOT))  # this repository's package, whichever is installed
    from ipseg import weights
    from ipseg.engine.presets import PRESETS

    found = {}
    for name in PRESETS[PRESET].weights:
        try:
            weights.require(PRESETS[PRESET].weights)  # one message for all that are absent
            path = weights.locate(name)
            weights.check(path, weights.get(name).sha256, name)
        except weights.WeightError as error:
            raise UnusableWeightsError(str(error)) from None
        found[f"weights/{path.name}"] = path
    return found


def listed(root: Path) -> dict[str, Path]:
    """What a Space takes from the repository: {its place there: the file here}, sorted. Nothing hidden or linked."""
    found = {place: root / path for place, path in NAMED.items()}
    for folder, kinds in FOLDERS.items():
        for path in (root / folder).rglob("*"):
            place = path.relative_to(root)
            if path.is_file() and not path.is_symlink() and path.suffix in kinds and not _private(place):
                found[place.as_posix()] = path
    return dict(sorted(found.items()))


def _private(place: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in place.parts)


def describe(files: Mapping[str, Path]) -> str:
    """One line for each file, its size first, and the total."""
    sizes = {place: path.stat().st_size for place, path in files.items()}
    lines = [f"{size:>9,}  {place}" for place, size in sizes.items()]
    return "\n".join([*lines, f"{len(files)} files, {sum(sizes.values()) / 1e6:.1f} MB"])


def assemble(files: Mapping[str, Path], folder: Path, repo: str | None = None) -> None:
    """Copy ``files`` into ``folder``; where the Space's name is known, the card's thumbnail becomes a full address."""
    for place, path in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if repo:
        card = folder / CARD
        address = rf"\1https://huggingface.co/spaces/{repo}/resolve/main/\2"
        text = card.read_text(encoding="utf-8")
        card.write_text(re.sub(r"(?m)^(thumbnail: )(?!https?:)(\S+)$", address, text, count=1), encoding="utf-8")


def upload(files: Mapping[str, Path], repo: str) -> int:
    """Send ``files`` to the Space ``repo``, which is made if it is not there; what it has beside them goes."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        return _fail("HF_TOKEN is not set; set it to a token that may write to your Spaces (hf.co/settings/tokens).")
    try:
        from huggingface_hub import HfApi
    except ImportError:
        return _fail("huggingface_hub is missing; run pip install huggingface_hub.")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    with tempfile.TemporaryDirectory() as folder:
        assemble(files, Path(folder), repo)
        try:
            api.create_repo(repo, repo_type="space", space_sdk="gradio", exist_ok=True)
            api.upload_folder(
                repo_id=repo,
                repo_type="space",
                folder_path=folder,
                delete_patterns="*",
                commit_message=f"ipseg, {len(files)} files",
            )
        except Exception as error:  # httpx and huggingface_hub have a dozen kinds, and they are no contract
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
            return _fail(f"{repo} could not be sent ({reason.replace(token, '***')}); see to that and try again.")
    print(f"https://huggingface.co/spaces/{repo}")
    return 0


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _repository(text: str) -> str:
    if not REPOSITORY.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is no name of a Space; give owner/name.')
    return text


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Put the demo on the Hugging Face Hub as a Space.")
    parser.add_argument("--repo", type=_repository, metavar="OWNER/NAME", help="the Space")
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the folder there, and send nothing")
    chosen = parser.parse_args(arguments)
    if not (chosen.repo or chosen.dry_run or chosen.output):
        parser.error("give --repo OWNER/NAME, or --dry-run or --output DIR to send nothing")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
