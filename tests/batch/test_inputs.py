"""Folders, lists and zips: what is taken, in which order, under which names, and which zips are refused."""

from __future__ import annotations

import io
import os
import re
import struct
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ipseg.batch import inputs
from ipseg.core.types import ImageError


@pytest.fixture
def jpeg(encode, scene) -> bytes:
    return encode(scene[0], "JPEG")


@pytest.fixture
def pack(tmp_path):
    def make(members, name="images.zip", how=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / name, "w", how) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return tmp_path / name

    return make


def names(*paths) -> list[str]:
    return [item.name for item in inputs.gather(paths)]


def refused(one_message, *paths, **options) -> str:
    with pytest.raises(ImageError) as caught:
        inputs.gather(paths, **options)
    one_message(str(caught.value))
    return str(caught.value)


def test_a_folder_with_what_does_not_belong(tmp_path, jpeg):
    for name in ("b.jpg", "a/c.png", ".hidden.jpg", ".git/x.jpg", "__MACOSX/b.jpg", "Thumbs.db", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg)
    assert names(tmp_path) == ["a/c.png", "b.jpg", "notes.txt"]


def test_a_zip_is_read_in_order_and_opened_when_its_turn_comes(pack, jpeg):
    path = pack({"b.jpg": jpeg, "a/": b"", "a/2.jpg": jpeg, "__MACOSX/a/._2.jpg": b"x", ".x": b"x", "in.zip": b"PK"})
    items = inputs.gather([path])
    assert [item.name for item in items] == ["a/2.jpg", "b.jpg", "in.zip"]
    assert items[0].open().shape == (48, 64, 3)
    assert items[0].stem == "a/2"


def test_each_mask_has_a_name_of_its_own(tmp_path, pack, jpeg):
    one = pack({"x.jpg": jpeg, "x.png": jpeg}, "one.zip")
    two = pack({"x.jpg": jpeg}, "two.zip")
    stems = [item.stem for item in inputs.gather([one, two, two])]
    assert stems[0] == "x"
    assert len(set(stems)) == 4


def test_only_the_name_of_the_mask_is_made_unique_and_the_path_is_that_of_the_file(tmp_path, save, make_scene):
    for name in ("in/A/00.png", "in/B/00.png", "in/q.png", "in/q.jpg"):
        save(tmp_path / name, make_scene()[0])
    found = inputs.gather([tmp_path / "in"], as_given=True)
    assert [item.path for item in found] == ["A/00.png", "B/00.png", "q.jpg", "q.png"]
    assert [item.stem for item in found] == ["A/00", "B/00", "q", "q.png"]
    assert [item.path for item in inputs.gather([tmp_path / "in/A", tmp_path / "in/B"])] == ["00.png", "00.png"]
    for paths in (["in/A", "in/B"], ["in/A/00.png", "in/B"], ["in/q.png"]):
        found = inputs.gather([tmp_path / path for path in paths], as_given=True)
        assert all(Path(item.path).is_file() for item in found)
        assert len({item.path for item in found}) == len({item.stem for item in found}) == len(paths)


def test_the_path_in_a_zip_is_that_of_the_member(pack, jpeg):
    (item,) = inputs.gather([pack({"new\nline.jpg": jpeg})], as_given=True)
    assert (item.path, item.name) == ("new\nline.jpg", "new?line.jpg")


def test_no_mask_has_the_name_of_a_folder_of_masks(tmp_path, save, make_scene):
    for name in ("a.png/x.png", "a.jpg", "a.png/x.png.jpg", "z.png"):
        save(tmp_path / "in" / name, make_scene()[0])
    stems = [item.stem for item in inputs.gather([tmp_path / "in"])]
    for stem in stems:
        (tmp_path / "out" / f"{stem}.png").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / f"{stem}.png").write_bytes(b"")
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == 4


def test_what_is_left_out_is_no_input(tmp_path, jpeg):
    for name in ("b.jpg", "out/masks/b.jpg", "out.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(jpeg)
    found = inputs.gather([tmp_path / "in"], leave_out=[tmp_path / "in" / "out"])
    assert [item.path for item in found] == ["b.jpg", "out.jpg"]


@pytest.mark.parametrize(
    "name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "C:/x.jpg", "..\\x.jpg", "a\\..\\x.jpg", "c:x.jpg"]
)
def test_a_name_that_leads_out_is_refused(pack, jpeg, one_message, name):
    path = pack({"good.jpg": jpeg, name: jpeg})
    assert "leads out of it" in refused(one_message, path)


def test_a_bomb_is_refused_before_it_is_unpacked(pack, one_message):
    path = pack({f"{number}.bmp": bytes(8 * 2**20) for number in range(3)})
    assert path.stat().st_size < 50_000
    assert "100 times its size" in refused(one_message, path)


def test_a_bomb_of_many_small_members_is_refused(pack, one_message):
    path = pack({f"{number}.bmp": bytes(400_000) for number in range(30)})
    assert "100 times its size" in refused(one_message, path)


def test_more_than_the_bound_is_refused(pack, one_message, monkeypatch):
    monkeypatch.setattr(inputs, "MAX_UNPACKED", 2**20)
    noise = np.random.default_rng(0).bytes(2**20)
    path = pack({"a.jpg": noise, "b.jpg": noise}, how=zipfile.ZIP_STORED)
    assert "more than 1 MB" in refused(one_message, path)


def test_a_size_that_is_a_lie_is_never_exceeded(pack, one_message):
    """The header of a member says 100 bytes where there are millions: no more than it says is unpacked."""
    path = pack({"a.jpg": bytes(4 * 2**20)})
    data = bytearray(path.read_bytes())
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    path.write_bytes(data)
    (item,) = inputs.gather([path])
    with pytest.raises(ImageError) as caught:
        item.open()
    one_message(str(caught.value), names="a.jpg")


def lied(path, offset: int, value: int, form: str = "<I"):
    """The zip with one number of its only directory entry replaced."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, data.rfind(b"PK\x01\x02") + offset, value)
    path.write_bytes(data)
    return path


def end_record(members: int, size: int, start: int, *, zip64: bool, comment: bytes = b"") -> bytes:
    """The end of a zip whose directory has ``size`` bytes; with ``zip64``, the plain record says that it has 46."""
    plain = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, members, members, 46 if zip64 else size, start, len(comment))
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, members, members, size, start)
    locator = struct.pack("<IIQI", 0x07064B50, 0, start + size, 1)
    return (record + locator if zip64 else b"") + plain + comment


@pytest.mark.parametrize("comment", [b"", b"x" * 60_000])
@pytest.mark.parametrize("zip64", [False, True])
def test_a_directory_that_is_too_long(tmp_path, one_message, monkeypatch, zip64, comment):
    """Python goes by a zip64 record wherever its locator stands, whatever the plain record says."""
    entry = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 0, 0, 0, 0, 2, 60_000, 0, 0, 0, 0, 0)
    directory = (entry + b".h" + struct.pack("<HH", 0xFFFF, 59_996) + bytes(59_996)) * 200  # 12 MB
    end = end_record(200, len(directory), 0, zip64=zip64, comment=comment)
    (tmp_path / "long.zip").write_bytes(directory + end)
    read: list[int] = []
    monkeypatch.setattr(inputs._Bounded, "read", watched(inputs._Bounded.read, read))
    assert "too many files" in refused(one_message, tmp_path / "long.zip")
    assert sum(read) < 2**20


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_a_directory_that_claims_more_than_there_is(pack, jpeg, one_message, size):
    path = pack({f"{number}.jpg": jpeg for number in range(5)})
    data = path.read_bytes()
    start, end = data.find(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    lie = end_record(5, size, start, zip64=True)
    path.write_bytes(data[:end] + lie.replace(struct.pack("<Q", start + size), struct.pack("<Q", end)))
    assert re.search("too many files|damaged", refused(one_message, path))


def watched(read, lengths):
    def wrapped(self, *given):
        data = read(self, *given)
        lengths.append(len(data))
        return data

    return wrapped


def test_a_zip64_file_that_tells_the_truth_is_taken(tmp_path, jpeg):
    with zipfile.ZipFile(tmp_path / "big.zip", "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as member:
        member.write(jpeg)
    (item,) = inputs.gather([tmp_path / "big.zip"])
    assert item.open().shape == (48, 64, 3)


def test_what_stands_before_a_zip_does_not_matter(pack, jpeg):
    path = pack({"a.jpg": jpeg})
    path.write_bytes(b"#!/bin/sh\n" * 1000 + path.read_bytes())
    (item,) = inputs.gather([path])
    assert item.open().shape == (48, 64, 3)


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_without_a_bound_is_refused(pack, jpeg, one_message, how):
    """4 kB of bzip2 become gigabytes in one step, whatever size the directory gives."""
    assert "unusual way" in refused(one_message, pack({"a.jpg": jpeg}, how=how))


def test_a_packed_size_that_is_a_lie_is_refused(pack, one_message):
    """It would give a zip bomb the ratio of a photograph."""
    path = pack({"a.bmp": bytes(64 * 2**20)})
    assert "100 times its size" in refused(one_message, path)
    assert "damaged" in refused(one_message, lied(path, 20, 60 * 2**20))


def test_members_that_share_their_bytes_are_refused(pack, jpeg, one_message):
    path = pack({"a.jpg": jpeg}, how=zipfile.ZIP_STORED)
    data = path.read_bytes()
    start, end = data.find(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    entry = data[start:end]
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 300, 300, 300 * len(entry), start, 0)
    path.write_bytes(data[:start] + entry * 300 + last)
    assert "damaged" in refused(one_message, path)


def test_many_members_that_are_no_images_are_refused(pack, jpeg, one_message):
    """The directory is read again for each image, so what is left alone counts too."""
    path = pack({"a.jpg": jpeg} | {f".hidden{number}": b"" for number in range(40)})
    assert "too many files" in refused(one_message, path, most=10)
    assert len(inputs.gather([path], most=11)) == 1


@pytest.mark.parametrize("name", [".", "..", "a/.", "a/..", "./."])
def test_a_member_without_a_name_is_left_out_and_the_rest_goes_on(pack, jpeg, one_message, name):
    path = pack({"good.jpg": jpeg, name: jpeg, "z.jpg": jpeg})
    items = {item.name: item for item in inputs.gather([path])}
    assert set(items) == {"good.jpg", "z.jpg", "without a name 1"}
    with pytest.raises(ImageError, match="left out") as caught:
        items["without a name 1"].open()
    one_message(str(caught.value), names="images.zip")
    assert items["good.jpg"].open().shape == items["z.jpg"].open().shape == (48, 64, 3)
    assert len({item.stem for item in items.values()}) == 3


def test_a_member_whose_name_is_empty_is_left_out(pack, jpeg):
    """Python writes none, so the one letter of a name becomes an extra field of one byte."""
    path = pack({"good.jpg": jpeg, "Q": jpeg})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):
        struct.pack_into("<HH", data, data.rfind(signature) + place, 0, 1)
    path.write_bytes(data)
    assert names(path) == ["without a name 1", "good.jpg"]


@pytest.mark.parametrize("name", ["/", "dir/", "a\\"])
def test_a_folder_in_a_zip_is_no_image(pack, jpeg, name):
    assert names(pack({"good.jpg": jpeg, name: b""})) == ["good.jpg"]


def test_names_that_no_file_system_takes_are_shortened(pack, jpeg, tmp_path):
    path = pack({f"{'long' * 200}.jpg": jpeg, "new\nline.jpg": jpeg, f"{'é' * 150}/x.jpg": jpeg})
    for item in inputs.gather([path]):
        assert "\n" not in item.name
        target = tmp_path / "out" / f"{item.stem}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"x")
        assert item.open().shape == (48, 64, 3)


def test_a_file_whose_name_is_no_text(tmp_path, jpeg):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/\xff.jpg", "wb") as file:
        file.write(jpeg)
    (item,) = inputs.gather([tmp_path / "in"])
    assert item.name.encode() == b"?.jpg"
    assert item.open().shape == (48, 64, 3)


def test_too_many_images(pack, jpeg, one_message):
    path = pack({f"{number}.jpg": jpeg for number in range(5)})
    assert "more than 4 images" in refused(one_message, path, most=4)


def test_a_password(pack, jpeg, one_message):
    path = pack({"a.jpg": jpeg})
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "password" in refused(one_message, path)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "is an empty file"), (b"words", "no zip at all"), (b"PK\x05\x06" + bytes(10), "no zip at all")],
)
def test_what_is_no_zip(tmp_path, one_message, data, words):
    (tmp_path / "x.zip").write_bytes(data)
    assert words in refused(one_message, tmp_path / "x.zip")


def test_an_empty_zip_and_an_empty_folder(pack, tmp_path, one_message):
    assert "images.zip holds no images" in refused(one_message, pack({}))
    (tmp_path / "none").mkdir()
    assert "none holds no images" in refused(one_message, tmp_path / "none")
    assert "no images" in refused(one_message)


def test_a_zip_that_is_cut_short_or_damaged_inside(pack, encode, one_message):
    noise = encode(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8), "PNG")
    path = pack({"a.png": noise, "b.png": noise})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(one_message, path)
    path.write_bytes(whole[:200] + bytes(50) + whole[250:])
    first, second = inputs.gather([path])
    with pytest.raises(ImageError) as caught:
        first.open()
    one_message(str(caught.value), names="a.png")
    assert second.open().shape == (40, 40, 3)


BAD = {
    "words.jpg": (b"words", "is not an image"),
    "empty.jpg": (b"", "is an empty file"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>", "is not an image"),
    "paper.jpg": (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", "is a PDF document"),
    "talk.mp4": (b"words in a file with another name", "is not an image"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_reported_by_its_name(pack, jpeg, one_message, name):
    data, words = BAD[name]
    bad = {item.name: item for item in inputs.gather([pack({"good.jpg": jpeg, name: data})])}[name]
    with pytest.raises(ImageError, match=words) as caught:
        bad.open()
    one_message(str(caught.value), names=name)


def test_of_an_animation_the_first_frame_is_taken(pack, scene):
    from PIL import Image

    buffer, frames = io.BytesIO(), [Image.fromarray(scene[0]), Image.new("RGB", (64, 48))]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    (item,) = inputs.gather([pack({"moving.gif": buffer.getvalue()})])
    assert item.open().shape == (48, 64, 3)
    assert item.open().std() > 1


def reported(one_message, item, words: str) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        item.open()
    one_message(caught.value, names=item.name.rsplit("/", 1)[-1])


def by_name(*paths, **options) -> dict:
    return {item.name: item for item in inputs.gather(paths, **options)}


def test_folders_and_files_behind_links_are_read(tmp_path, jpeg, one_message):
    for name in ("in/a.jpg", "store/b.jpg", "store/deep/c.jpg", "d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg)
    (tmp_path / "in/linked").symlink_to(tmp_path / "store")
    (tmp_path / "in/d.jpg").symlink_to(tmp_path / "d.jpg")
    (tmp_path / "in/gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "store/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/itself").symlink_to(tmp_path / "in/itself")
    items = by_name(tmp_path / "in")
    good = ["a.jpg", "d.jpg", "linked/b.jpg", "linked/deep/c.jpg"]
    assert sorted(items) == sorted([*good, "gone.jpg", "itself", "linked/back"])
    for name in good:
        assert items[name].open().shape == (48, 64, 3)
    reported(one_message, items["gone.jpg"], "a link to nothing, left out")
    reported(one_message, items["itself"], "a link to nothing, left out")
    reported(one_message, items["linked/back"], "a link to a folder that holds it, left out")


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path, jpeg, one_message, monkeypatch):
    (tmp_path / "in/closed").mkdir(parents=True)
    (tmp_path / "in/a.jpg").write_bytes(jpeg)
    listing = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    items = by_name(tmp_path / "in")
    assert items["a.jpg"].open().shape == (48, 64, 3)
    reported(one_message, items["closed"], "cannot be read .Permission denied., left out")


def test_a_pipe_in_a_folder_is_reported(tmp_path, jpeg, one_message):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes on this system")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    os.mkfifo(tmp_path / "pipe.jpg")
    reported(one_message, by_name(tmp_path)["pipe.jpg"], "no regular file")


def test_a_folder_named_like_an_image_an_archive_or_a_clip(tmp_path, jpeg):
    for name in ("a.png/x.jpg", "b.zip/x.jpg", "c.mp4/x.jpg", "a.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(jpeg)
    items = inputs.gather([tmp_path / "in"])
    assert [item.name for item in items] == ["a.jpg", "a.png/x.jpg", "b.zip/x.jpg", "c.mp4/x.jpg"]
    assert all(item.open().shape == (48, 64, 3) for item in items)
    assert items[0].stem != "a"  # its mask would be a.png, which holds the mask of another
    assert names(tmp_path / "in/b.zip") == ["x.jpg"]


def test_a_zip_in_a_folder_is_read_and_one_in_a_zip_is_reported(tmp_path, pack, jpeg, one_message):
    inner = pack({"a.jpg": jpeg}, "inner.zip")
    outer = pack({"b.jpg": jpeg, "inner.zip": inner.read_bytes(), "old.tar.gz": b"x", "c.7z": b"x"}, "outer.zip")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/words.zip").write_bytes(b"words")
    (tmp_path / "in/outer.zip").write_bytes(outer.read_bytes())
    items = by_name(tmp_path / "in")
    left = {"outer.zip/inner.zip", "outer.zip/old.tar.gz", "outer.zip/c.7z"}
    assert set(items) == {"outer.zip/b.jpg", "words.zip", *left}
    assert items["outer.zip/b.jpg"].open().shape == (48, 64, 3)
    assert items["outer.zip/b.jpg"].path == "outer.zip/b.jpg"
    for name in left:
        reported(one_message, items[name], "an archive inside an archive, left out")
    reported(one_message, items["words.zip"], "no zip at all")
    assert set(by_name(outer)) == {"b.jpg", "inner.zip", "old.tar.gz", "c.7z"}


@pytest.mark.parametrize("name", ["2024-05-01T12:30:00.png", "a/b:c.jpg", "ratio 16:9/x.jpg", "10:x.jpg"])
def test_a_colon_in_a_name_is_no_drive(pack, jpeg, name):
    (item,) = inputs.gather([pack({name: jpeg})])
    assert item.name == name
    assert item.open().shape == (48, 64, 3)


def test_a_refused_zip_among_others_refuses_itself_alone(pack, tmp_path, jpeg, one_message):
    good = pack({"a.jpg": jpeg}, "good.zip")
    (tmp_path / "words.zip").write_bytes(b"words")
    (tmp_path / "b.jpg").write_bytes(jpeg)
    items = by_name(good, tmp_path / "words.zip", tmp_path / "b.jpg")
    assert set(items) == {"a.jpg", "words.zip", "b.jpg"}
    reported(one_message, items["words.zip"], "no zip at all")


def test_a_clip_among_images_is_reported(film, pack, tmp_path, jpeg, one_message):
    path = film(3)
    (tmp_path / "b.jpg").write_bytes(jpeg)
    zipped = pack({"clip.avi": path.read_bytes(), "c.jpg": jpeg})
    for items in (by_name(path, tmp_path / "b.jpg"), by_name(zipped)):
        reported(one_message, items["clip.avi"], "is a clip; give one of its frames, or the clip alone")
        assert next(item for name, item in items.items() if name != "clip.avi").open().shape == (48, 64, 3)


def test_names_that_some_systems_take_for_one(pack, jpeg):
    composed, apart = "\u00e9.jpg", "e\u0301.jpg"
    items = inputs.gather([pack({"A.jpg": jpeg, "a.jpg": jpeg, "a.png": jpeg, composed: jpeg, apart: jpeg})])
    assert [item.name for item in items] == ["A.jpg", "a.jpg", "a.png", apart, composed]
    assert len({unicodedata.normalize("NFC", item.stem).lower() for item in items}) == 5


def test_one_name_inside_another(pack, jpeg):
    listed = {"01.jpg": jpeg, "01.jpg.jpg": jpeg, "01.png": jpeg, "01.jpg.png": jpeg}
    items = inputs.gather([pack(listed)])
    assert [item.path for item in items] == sorted(listed)
    assert len({item.stem for item in items}) == 4


def test_no_more_of_a_folder_is_listed_than_may_be_taken(tmp_path, jpeg, one_message, monkeypatch):
    for number in range(30):
        (tmp_path / "in" / f"{number}").mkdir(parents=True)
        (tmp_path / "in" / f"{number}" / "a.jpg").write_bytes(jpeg)
    listed: list[object] = []
    listing = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or listing(path))
    assert "more than 4 images" in refused(one_message, tmp_path / "in", most=4)
    assert len(listed) <= 7
