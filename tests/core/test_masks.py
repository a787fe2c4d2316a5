"""How the values of a mask are read, whatever made it, and the one message for a mask that cannot be used."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from ipseg.core import images, masks
from ipseg.core.masks import open_mask, read_mask
from ipseg.core.types import ImageError, MaskError, SettingError

SIZE = (60, 80)


def disc(row: int = 30, column: int = 40, radius: int = 14, size: tuple[int, int] = SIZE) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def around(mask: np.ndarray, width: int = 3) -> np.ndarray:
    """A line of ``width`` pixels around a mask."""
    return ndimage.binary_dilation(mask, iterations=width) & ~mask


def voc_palette() -> list[int]:
    """PASCAL VOC's 256 colours, as its development kit computes them."""
    colours = np.zeros((256, 3), np.uint8)
    for number in range(256):
        for place in range(8):
            for channel in range(3):
                colours[number, channel] |= ((number >> (3 * place + channel)) & 1) << (7 - place)
    return colours.ravel().tolist()


def palette(indices: np.ndarray, colours: list[int] | None = None) -> Image.Image:
    image = Image.fromarray(indices.astype(np.uint8)).convert("P")
    image.putpalette(colours or voc_palette())
    return image


def labels(*areas: tuple[np.ndarray, int]) -> np.ndarray:
    """(H, W) uint8: each area has its value; later ones lie on top."""
    values = np.zeros(areas[0][0].shape, np.uint8)
    for area, value in areas:
        values[area] = value
    return values


def smooth(low: float, high: float) -> np.ndarray:
    """A disc whose edge is anti-aliased."""
    return np.rint(low + COVERED * (high - low)).astype(np.uint8)


def rgba(colour: int, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([np.full((*alpha.shape, 3), colour), alpha]).astype(np.uint8)


def deep(mask: np.ndarray, value: int) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint16) * np.uint16(value))


COVERED = disc(121, 161, 56, (240, 320)).reshape(60, 4, 80, 4).mean(axis=(1, 3))  # share of each pixel
DISC, OTHER = disc(), disc(12, 12, 6)
RIM = around(DISC)
WHITE_FIRST = [255, 255, 255, 0, 0, 0]

ONE_OBJECT = {  # what a file may hold, all of them with the same disc
    "0/1": Image.fromarray(DISC.astype(np.uint8)),
    "0/38": Image.fromarray(DISC.astype(np.uint8) * 38),
    "0/255": Image.fromarray(DISC.astype(np.uint8) * 255),
    "7/38": Image.fromarray(np.where(DISC, 38, 7).astype(np.uint8)),
    "one bit": Image.fromarray(DISC),
    "16 bits, 0/1": deep(DISC, 1),
    "16 bits, 0/65535": deep(DISC, 65535),
    "16 bits, an instance": deep(DISC, 26001),
    "32 bits, 0/1": Image.fromarray(DISC.astype(np.int32)),
    "float, 0/1": Image.fromarray(DISC.astype(np.float32)),
    "float, 0/255": Image.fromarray(DISC.astype(np.float32) * 255),
    "palette, dark class": palette(labels((DISC, 8))),
    "palette, dark class, border": palette(labels((RIM, 255), (DISC, 8))),
    "palette, class 1, border": palette(labels((RIM, 255), (DISC, 1))),
    "palette, grey class": palette(labels((RIM, 255), (DISC, 7))),
    "palette, white before black": palette(~DISC, WHITE_FIRST),
    "palette, transparent background": palette(labels((DISC, 1)), [200, 0, 0, 40, 40, 40]),
    "class numbers, border": Image.fromarray(labels((RIM, 255), (DISC, 15))),
    "class numbers, thick border": Image.fromarray(labels((around(DISC, 12), 255), (DISC, 15))),
    "value 100, border": Image.fromarray(labels((RIM, 255), (DISC, 100))),
    "cut-out of a dark object": Image.fromarray(rgba(20, DISC * 255)),
    "cut-out of a black object": Image.fromarray(rgba(0, DISC * 255)),
    "white on transparent": Image.fromarray(np.dstack([DISC * 255] * 4).astype(np.uint8)),
    "white on transparent white": Image.fromarray(rgba(255, DISC * 255)),
    "faint paint": Image.fromarray(rgba(255, DISC * 90)),
    "grey with alpha": Image.merge("LA", [Image.fromarray((each * 255).astype(np.uint8)) for each in (~DISC, DISC)]),
    "opaque RGBA": Image.fromarray(np.dstack([DISC * 255] * 3 + [np.full(SIZE, 255)]).astype(np.uint8)),
    "almost opaque RGBA": Image.fromarray(np.dstack([DISC * 255] * 3 + [255 - RIM]).astype(np.uint8)),
    "RGB white on black": Image.fromarray(np.dstack([DISC * 255] * 3).astype(np.uint8)),
    "RGB 0/1": Image.fromarray(np.dstack([DISC] * 3).astype(np.uint8)),
    "DAVIS, red on black": Image.fromarray(np.dstack([DISC * 128, DISC * 0, DISC * 0]).astype(np.uint8)),
    "dark colour on black": Image.fromarray(np.dstack([DISC * 64, DISC * 0, DISC * 0]).astype(np.uint8)),
    "VOC's colours": palette(labels((RIM, 255), (DISC, 8))).convert("RGB"),
    "CMYK": Image.fromarray(np.dstack([DISC * 255] * 3).astype(np.uint8)).convert("CMYK"),
}


def formats(image: Image.Image) -> list[str]:
    """File formats without loss that hold an image as it is."""
    if image.mode == "CMYK" or image.mode == "F":
        return ["TIFF"]
    return ["PNG", "TIFF"] if image.mode in ("1", "L", "I;16", "RGB", "RGBA", "LA", "P") else ["TIFF"]


@pytest.mark.parametrize("name", ONE_OBJECT)
def test_one_object_is_read_whatever_its_values(name, encode):
    image = ONE_OBJECT[name]
    options = {"transparency": 0} if name == "palette, transparent background" else {}
    sources = [encode(image, kind, **options) for kind in formats(image)] + ([] if options else [image])
    for source in sources:
        mask = open_mask(source, SIZE)
        assert (mask.dtype, mask.flags.writeable) == (bool, False)
        np.testing.assert_array_equal(mask, DISC)


@pytest.mark.parametrize("name", ["palette, dark class, border", "class numbers, border", "VOC's colours"])
def test_the_border_of_a_label_image_is_ignored(name):
    given = read_mask(ONE_OBJECT[name])
    np.testing.assert_array_equal(given.ignored, RIM)
    assert not given.ignored.flags.writeable


@pytest.mark.parametrize("name", ["0/255", "palette, dark class", "white on transparent"])
def test_other_masks_have_no_border(name):
    assert read_mask(ONE_OBJECT[name]).ignored is None


SEVERAL = {
    "grey": (Image.fromarray(labels((DISC, 100), (OTHER, 200))), "100 and 200"),
    "classes": (Image.fromarray(labels((DISC, 1), (OTHER, 2))), "1 and 2"),
    "palette": (palette(labels((RIM, 255), (DISC, 3), (OTHER, 7))), "3 and 7"),
    "value and white": (Image.fromarray(labels((DISC, 100), (OTHER, 255))), "100 and 255"),
    "trimap": (Image.fromarray(labels((around(DISC, 12), 128), (DISC, 255))), "128 and 255"),
    "16 bits": (Image.fromarray(labels((DISC, 1), (OTHER, 2)).astype(np.uint16) * np.uint16(1000)), "1000 and 2000"),
    "colours": (palette(labels((DISC, 1), (OTHER, 2))).convert("RGB"), "#008000 and #800000"),
    "array": (labels((DISC, 5), (OTHER, 9)).astype(np.int64), "5 and 9"),
    "many": (Image.fromarray((np.arange(80)[None] // 4 + np.zeros((60, 1))).astype(np.uint8)), "7 and 12 more"),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_objects_are_named_with_the_way_to_choose(name, one_message):
    source, named = SEVERAL[name]
    with pytest.raises(MaskError, match="--mask-value") as caught:
        open_mask(source)
    one_message(caught.value, names=named)
    assert "mask_value=" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("grey", 100, DISC),
        ("grey", 200, OTHER),
        ("classes", 1, DISC),
        ("palette", 7, OTHER),
        ("value and white", 255, OTHER),
        ("trimap", 255, DISC),
        ("16 bits", 2000, OTHER),
        ("colours", 0x800000, DISC),
        ("array", 9, OTHER),
        ("grey", 0, ~DISC & ~OTHER),
    ],
)
def test_mask_value_chooses(name, value, right):
    np.testing.assert_array_equal(open_mask(SEVERAL[name][0], mask_value=value), right)


def test_mask_value_and_the_border():
    given = read_mask(SEVERAL["palette"][0], mask_value=3)
    np.testing.assert_array_equal(given.mask, DISC)
    np.testing.assert_array_equal(given.ignored, RIM & ~OTHER)
    chosen = read_mask(SEVERAL["palette"][0], mask_value=255)
    np.testing.assert_array_equal(chosen.mask, RIM & ~OTHER)
    assert chosen.ignored is None


def test_a_mask_value_that_is_not_there(one_message):
    with pytest.raises(MaskError, match="no pixel of the value 3") as caught:
        open_mask(SEVERAL["classes"][0], mask_value=3)
    one_message(caught.value, names="choose one of 0, 1 and 2")
    assert read_mask(SEVERAL["classes"][0], mask_value=3, empty=True).empty


@pytest.mark.parametrize("value", [-1, 1.5, True, "1"])
def test_a_mask_value_that_is_none(value, one_message):
    with pytest.raises(SettingError) as caught:
        open_mask(DISC, mask_value=value)
    one_message(caught.value, names=str(value))


def test_any_channel_above_half_is_the_object(encode):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2, 3] = (0, 0, 128)
    pixels[4, 5] = (127, 127, 127)
    mask = open_mask(encode(pixels, "PNG"), (20, 30))
    assert [tuple(place) for place in np.argwhere(mask)] == [(2, 3)]


def test_a_photograph_on_black_is_read_by_its_channels(make_scene):
    rng = np.random.default_rng(0)
    pixels = np.where(DISC[..., None], rng.integers(128, 256, (*SIZE, 3)), 0).astype(np.uint8)
    np.testing.assert_array_equal(open_mask(pixels), DISC)


SMOOTH = {
    "white": smooth(0, 255),
    "dark": smooth(0, 70),
    "dark red": np.dstack([smooth(0, 64), smooth(0, 0), smooth(0, 0)]),
    "alpha": rgba(30, smooth(0, 255)),
    "black on white": ~smooth(0, 255),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_an_anti_aliased_edge_is_cut_at_half(name, encode):
    right = COVERED < 0.5 if name == "black on white" else COVERED > 0.5
    sure = COVERED != 0.5
    np.testing.assert_array_equal(open_mask(encode(SMOOTH[name], "PNG"))[sure], right[sure])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [50, 80, 95, 100])
@pytest.mark.parametrize("colour", [(255, 255, 255), (200, 0, 0)])
def test_lossy_masks(kind, quality, colour, encode):
    mask = disc(80, 100, 50, (160, 200))
    data = encode((mask[..., None] * np.array(colour)).astype(np.uint8), kind, quality=quality)
    copy = encode(Image.open(io.BytesIO(data)), "PNG")  # the noise without the loss
    for source in (data, copy):
        read = open_mask(source)
        assert (read & mask).sum() / (read | mask).sum() > 0.98


def test_feathered_masks():
    soft = ndimage.gaussian_filter(disc(80, 100, 50, (160, 200)) * 255.0, 5).astype(np.uint8)
    np.testing.assert_array_equal(open_mask(soft), soft >= 128)


ARRAYS = {
    "bool": DISC,
    "bool (H, W, 1)": DISC[..., None],
    "bool (1, H, W)": DISC[None],
    "uint8 0/1": DISC.astype(np.uint8),
    "uint8 0/255": DISC.astype(np.uint8) * 255,
    "int64": DISC.astype(np.int64),
    "uint16": DISC.astype(np.uint16) * 65535,
    "float32": DISC.astype(np.float32),
    "float64 probabilities": np.where(DISC, 0.7, 0.2) + np.linspace(0, 0.1, 80),
    "half": DISC.astype(np.float16),
    "RGB": np.dstack([DISC * 255] * 3).astype(np.uint8),
    "RGB of floats": np.dstack([DISC] * 3).astype(np.float32),
    "(3, H, W)": np.stack([DISC * 255] * 3).astype(np.uint8),
    "RGBA": rgba(0, DISC * 255),
    "Fortran order": np.asfortranarray(DISC),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    np.testing.assert_array_equal(open_mask(ARRAYS[name], SIZE), DISC)


def test_an_array_is_copied():
    given = DISC.copy()
    mask = open_mask(given)
    given[:] = False
    assert mask.sum() == DISC.sum()


def test_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(DISC)
    for given in (tensor, tensor[None], tensor[..., None], tensor.float(), tensor.bfloat16()[None], tensor.long()):
        np.testing.assert_array_equal(open_mask(given, SIZE), DISC)


WRONG = {
    "floats to 255": (DISC * 255.0, "floats from 0 to 255; give floats from 0 to 1"),
    "NaN": (np.where(DISC, np.nan, 0), "give floats from 0 to 1"),
    "negative": (DISC.astype(np.int32) - 1, "the value -1"),
    "several masks": (np.stack([DISC, DISC, OTHER]), "bool with the shape (3, 60, 80)"),
    "a batch": (DISC[None, None], "bool with the shape (1, 1, 60, 80)"),
    "channels first or last": (np.zeros((3, 40, 3), np.uint8), "uint8 with the shape (3, 40, 3)"),
    "nothing": (np.zeros((0, 4), bool), "bool with the shape (0, 4)"),
    "text": (np.array([["a"]]), "the shape (1, 1)"),
    "None": (None, "The mask is None, as cv2.imread returns it for a file it cannot read; give a path"),
    "a list": ([[0, 1], [1, 0]], "The mask is list; give a path"),
    "a number": (3, "The mask is int; give a path"),
    "bytes": (b"words", "The mask given as bytes is not an image"),
    "a bytearray": (bytearray(b"words"), "The mask given as bytearray is not an image"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_mask_is_named(name, one_message):
    source, words = WRONG[name]
    with pytest.raises((MaskError, ImageError)) as caught:
        open_mask(source)
    one_message(caught.value, names=words)


@pytest.mark.parametrize(
    "empty",
    [
        np.zeros((20, 30), bool),
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30), np.float32),
        np.zeros((20, 30, 3), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        rgba(255, np.zeros((20, 30))),
    ],
)
def test_an_empty_mask(empty, one_message):
    with pytest.raises(MaskError, match="empty") as caught:
        open_mask(empty, (20, 30))
    one_message(caught.value)
    given = read_mask(empty, (20, 30), empty=True)
    assert given.empty
    assert given.mask.shape == (20, 30)


def test_a_mask_of_borders_alone_is_empty(one_message):
    source = palette(labels((RIM, 255)))
    with pytest.raises(MaskError, match="border value 255") as caught:
        open_mask(source)
    one_message(caught.value, names="--mask-value 255")
    assert read_mask(source, empty=True).empty


@pytest.mark.parametrize("full", [np.full((20, 30), value, np.uint8) for value in (1, 38, 255)])
def test_one_value_everywhere_is_all_object(full):
    assert open_mask(full).all()


def test_a_mask_of_another_size_names_both(tmp_path: Path, save, one_message):
    path = save(tmp_path / "m.png", np.full((20, 30), 255, np.uint8))
    with pytest.raises(MaskError, match=r"m\.png is 30x20 pixels but its image is 20x30") as caught:
        open_mask(path, (30, 20))
    one_message(caught.value, folder=tmp_path)


def test_a_mask_file_that_is_no_image(tmp_path: Path):
    (tmp_path / "m.png").write_text("words")
    with pytest.raises(ImageError, match=r"m\.png is not an image"):
        open_mask(tmp_path / "m.png")


def test_a_mask_may_be_smaller_than_an_image_may_be():
    assert open_mask(np.ones((3, 3), bool)).shape == (3, 3)
    np.testing.assert_array_equal(open_mask(np.eye(2, dtype=np.uint8)), np.eye(2))


@pytest.mark.parametrize("values", ["mask", "labels"])
def test_what_the_package_writes_is_read_again(values):
    if values == "mask":
        np.testing.assert_array_equal(open_mask(images.encode_png(DISC.astype(np.uint8) * 255)), DISC)
    else:
        numbers = images.encode_png(labels((DISC, 1), (OTHER, 2)))
        np.testing.assert_array_equal(open_mask(numbers, mask_value=2), OTHER)


# EXIF orientation: how the upright image lies in the file (EXIF 2.32, tag 274)
STORED = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: upright[:, ::-1].T,
    7: lambda upright: upright[::-1, ::-1].T,
    8: lambda upright: upright[::-1].T,
}
CORNER = disc(10, 12, 8)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[274] = orientation
    return block


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_mask_with_an_orientation_of_its_own(orientation, kind, encode):
    stored = np.ascontiguousarray(STORED[orientation](CORNER)).astype(np.uint8) * 255
    given = read_mask(encode(stored, kind, exif=exif(orientation)), SIZE, orientation=orientation)
    np.testing.assert_array_equal(given.mask, CORNER)
    assert given.notices == ()


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_on_the_stored_pixels_is_turned_with_its_image(orientation):
    stored = labels((np.ascontiguousarray(STORED[orientation](around(CORNER))), 255))
    stored[STORED[orientation](CORNER)] = 8
    for source in (palette(stored), stored):
        given = read_mask(source, SIZE, orientation=orientation)
        np.testing.assert_array_equal(given.mask, CORNER)
        np.testing.assert_array_equal(given.ignored, around(CORNER))
        assert given.notices == ()
    upright = read_mask(CORNER, SIZE, orientation=orientation)
    np.testing.assert_array_equal(upright.mask, CORNER)
    assert upright.notices == ()


@pytest.mark.parametrize(("orientation", "size"), [(3, SIZE), (2, SIZE), (4, SIZE), (6, (64, 64)), (8, (64, 64))])
def test_where_the_sizes_do_not_tell_the_assumption_is_said(orientation, size, one_message):
    mask = disc(10, 15, 8, size)
    given = read_mask(mask, size, orientation=orientation)
    np.testing.assert_array_equal(given.mask, mask)
    (notice,) = given.notices
    one_message(notice, names="taken as drawn on the upright image")
    middle = disc(31, 31, 9, (63, 63))  # alike either way
    assert read_mask(middle, (63, 63), orientation=orientation).notices == ()


def test_a_stale_orientation_gives_way_to_the_size(encode):
    data = encode(CORNER.astype(np.uint8) * 255, "PNG", exif=exif(6))  # turned before, the tag left as it was
    np.testing.assert_array_equal(open_mask(data, SIZE), CORNER)


def test_the_orientation_of_a_file(tmp_path: Path, encode, make_scene):
    data = encode(make_scene()[0], "JPEG", exif=exif(6))
    (tmp_path / "a.jpg").write_bytes(data)
    file = io.BytesIO(b"before" + data)
    file.seek(6)
    for source in (
        data,
        bytearray(data),
        tmp_path / "a.jpg",
        str(tmp_path / "a.jpg"),
        Image.open(io.BytesIO(data)),
        file,
    ):
        assert images.orientation(source) == 6
    assert file.tell() == 6
    for source in (make_scene()[0], b"words", tmp_path / "none.jpg", None, encode(make_scene()[0], "JPEG")):
        assert images.orientation(source) == 1


def test_images_with_their_masks(encode, make_scene):
    upright, _ = make_scene(*SIZE)
    stored = np.ascontiguousarray(upright[:, ::-1].transpose(1, 0, 2))
    file = encode(stored, "PNG", exif=exif(6))
    (first, mask), (second, none) = masks.with_masks([io.BytesIO(file), upright], [STORED[6](CORNER), None])
    np.testing.assert_array_equal(first, upright)
    np.testing.assert_array_equal(mask.mask, CORNER)
    np.testing.assert_array_equal(second, upright)
    assert none is None
    ((_, again),) = masks.with_masks(upright, mask)
    assert again is mask
    assert [mask for _, mask in masks.with_masks([upright, upright])] == [None, None]


@pytest.mark.parametrize(
    ("count", "given", "words"),
    [
        (2, DISC, "2 prompt images and 1 masks"),
        (2, [DISC], "2 prompt images and 1 masks"),
        (1, [DISC, None], "1 prompt images and 2 masks"),
        (0, None, "0 prompt images and 0 masks"),
    ],
)
def test_one_mask_is_never_laid_on_two_images(count, given, words, make_scene, one_message):
    with pytest.raises(ImageError) as caught:
        masks.with_masks([make_scene(*SIZE)[0]] * count, given)
    one_message(caught.value, names=words)


def test_values_are_read_as_they_are_stored(tmp_path, save):
    labels = np.array([[0, 1, 255], [7, 7, 0]], np.uint8)
    file = save(tmp_path / "labels.png", labels)
    np.testing.assert_array_equal(masks.read_values(file), labels)
    np.testing.assert_array_equal(masks.read_values(file, (2, 3)), labels)
    np.testing.assert_array_equal(masks.read_values(file, (3, 2), orientation=6), labels.T[:, ::-1])
    indexed = Image.fromarray(labels).convert("P")
    indexed.putdata(labels.ravel().tolist())
    indexed.putpalette([0, 0, 0, 200, 10, 10] + [9] * 600)
    np.testing.assert_array_equal(masks.read_values(indexed), labels)
    grey = Image.fromarray(np.dstack([labels, labels // 2, labels]))
    np.testing.assert_array_equal(masks.read_values(grey), np.asarray(grey.convert("L")))
    with pytest.raises(MaskError, match=r"3x2 pixels but its image is 4x4"):
        masks.read_values(file, (4, 4))
    with pytest.raises(MaskError, match="no labels"):
        masks.read_values(np.zeros((20, 20)))
