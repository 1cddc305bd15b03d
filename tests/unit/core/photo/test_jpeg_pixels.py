from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from app.core.errors import CorruptImage, ImageError
from app.core.photo import formats
from app.core.photo.images import decode
from tests.support import encode, textured
from tests.torture.bombs import segment

END = b"\xff\xd9"
HOLE = 200
KINDS: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"restart_marker_rows": 1},
    {"subsampling": 0},
    {"optimize": True},
]


def noisy(width: int = 320, height: int = 240) -> Image.Image:
    noise = np.random.default_rng(7).normal(0, 10, (height, width, 3))
    picture = np.asarray(textured(width, height)) + noise
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


PHOTO = encode(noisy(), "JPEG", quality=90)
PIXELS = decode(PHOTO).rgb.tobytes()


def scan_of(data: bytes | bytearray) -> int:
    """Where the first scan's data starts."""
    start = data.index(b"\xff\xda")
    return start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [END, b""])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_photo_cut_short_is_corrupt_with_an_end_mark_or_without(
    kind: dict[str, Any], end: bytes, share: float
) -> None:
    data = encode(noisy(), "JPEG", quality=90, **kind)
    with pytest.raises(CorruptImage, match="broken or cut short"):
        decode(data[: int(len(data) * share)] + end)


def test_a_progressive_photo_without_its_last_scans_is_corrupt() -> None:
    data = encode(noisy(), "JPEG", progressive=True)
    scans = data.removesuffix(END).split(b"\xff\xda")
    for number in range(2, len(scans)):
        with pytest.raises(CorruptImage, match="incomplete"):
            decode(b"\xff\xda".join(scans[:number]) + END)


@pytest.mark.parametrize("kind", [{}, {"restart_marker_rows": 1}, {"subsampling": 0}])
@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.77, 0.9])
def test_a_hole_of_zeros_is_corrupt_wherever_it_is(kind: dict[str, Any], share: float) -> None:
    data = bytearray(encode(noisy(), "JPEG", quality=90, **kind))
    start = int(scan_of(data) + (len(data) - scan_of(data)) * share)
    data[start : start + HOLE] = bytes(HOLE)
    with pytest.raises(CorruptImage):
        decode(bytes(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [31, 32, 33, 512, 40_000])
@pytest.mark.parametrize("end", [END, b""])
def test_any_number_of_zeros_after_the_last_data_is_judged(
    kind: dict[str, Any], number: int, end: bytes
) -> None:
    data = encode(noisy(), "JPEG", quality=90, **kind)
    padded = data.removesuffix(END) + bytes(number) + end
    assert decode(padded).rgb.tobytes() == decode(data).rgb.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("number", [None, 40, 40_000])
@pytest.mark.parametrize("end", [END, b""])
def test_zeros_in_place_of_the_last_part_are_corrupt(
    kind: dict[str, Any], share: float, number: int | None, end: bytes
) -> None:
    data = encode(noisy(), "JPEG", quality=90, **kind)
    kept = int(len(data) * share)
    with pytest.raises(CorruptImage):
        decode(data[:kept] + bytes(len(data) - kept if number is None else number) + end)


def test_a_hole_beside_padding_is_corrupt() -> None:
    data = bytearray(PHOTO.removesuffix(END) + bytes(512) + END)
    middle = len(PHOTO) // 2
    data[middle : middle + HOLE] = bytes(HOLE)
    with pytest.raises(CorruptImage, match="a piece of it is zeros"):
        decode(bytes(data))


def test_zeros_that_are_a_flat_picture_are_judged() -> None:
    """Tables made for a picture of one grey have the shortest code for "nothing more"."""
    data = encode(Image.new("L", (2000, 1000), 128), "JPEG", optimize=True)
    assert bytes(32) in data
    assert decode(data).rgb.getpixel((999, 9)) == (128, 128, 128)


def oddities() -> dict[str, bytes]:
    scan = PHOTO.index(b"\xff\xda")
    header = scan_of(PHOTO)
    adobe = segment(0xEE, b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 7]))
    jfif = 2 + 18  # the first segment, which says what the colours mean
    return {
        "no end mark": PHOTO[:-2],
        "half an end mark": PHOTO[:-1],
        "bytes between segments": PHOTO[:scan] + b"strange bytes" + PHOTO[scan:],
        "bytes after the end": PHOTO + bytes(99) + b"strange",
        "a zero before the end": PHOTO[:-2] + b"\0" + END,
        "zeros before the end": PHOTO[:-2] + bytes(9) + END,
        "zeros in place of the end": PHOTO[:-2] + bytes(9),
        "fill bytes before the end": PHOTO[:-2] + b"\xff" * 9 + END,
        "a second picture": PHOTO + encode(textured(40, 30), "JPEG"),
        "an unknown version of JFIF": PHOTO.replace(b"JFIF\0\1", b"JFIF\0\2", 1),
        "an unknown colour transform": PHOTO[:2] + adobe + PHOTO[jfif:],
        "scan parameters left empty": PHOTO[: header - 3] + bytes(3) + PHOTO[header:],
    }


@pytest.mark.parametrize("name", oddities())
def test_what_cameras_do_without_harm_is_judged(name: str) -> None:
    assert decode(oddities()[name]).rgb.tobytes() == PIXELS


def test_zeros_before_restart_marks_are_judged() -> None:
    data = encode(noisy(), "JPEG", restart_marker_rows=1)
    padded = data
    for number in range(8):
        padded = padded.replace(bytes([0xFF, 0xD0 + number]), bytes([0, 0, 0xFF, 0xD0 + number]))
    assert decode(padded).rgb.tobytes() == decode(data).rgb.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("side", [None, 30, 60, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_pillow_to_the_bit(
    mode: str, side: int | None, kind: dict[str, Any]
) -> None:
    if mode != "RGB":
        kind = {name: value for name, value in kind.items() if name != "subsampling"}
    data = encode(noisy(333, 217).convert(mode), "JPEG", **kind)
    least = None if side is None else (side, side)
    with Image.open(io.BytesIO(data)) as same:
        if least and mode != "CMYK":
            same.draft(None, least)
        expected = same.convert("RGB")
    image = decode(data, at_least=least).rgb
    assert (image.size, image.tobytes()) == (expected.size, expected.tobytes())


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
def test_every_sampling_of_colours_is_pillows_to_the_bit(sampling: str) -> None:
    pixels = np.ascontiguousarray(np.asarray(noisy()))
    data = simplejpeg.encode_jpeg(pixels, 85, "RGB", sampling)
    with Image.open(io.BytesIO(data)) as same:
        assert decode(data).rgb.tobytes() == same.convert("RGB").tobytes()


def test_a_sampling_without_a_name_is_decoded_while_its_end_is_there() -> None:
    data = bytearray(simplejpeg.encode_jpeg(np.asarray(noisy()).copy(), 85, "RGB", "444"))
    frame = data.index(b"\xff\xc0")
    data[frame + 11], data[frame + 14] = 0x21, 0x12
    assert decode(bytes(data)).width == 320
    with pytest.raises(CorruptImage, match="end is missing"):
        decode(bytes(data[:-2]))


@pytest.mark.parametrize("bits", [12, 16])
def test_other_depths_are_refused_by_name(bits: int) -> None:
    frame = PHOTO.index(b"\xff\xc0")
    with pytest.raises(ImageError, match=f"{bits} bits"):
        decode(PHOTO[: frame + 4] + struct.pack("B", bits) + PHOTO[frame + 5 :])


def test_arithmetic_coding_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match="arithmetic"):
        decode(PHOTO.replace(b"\xff\xc0", b"\xff\xc9", 1))


def test_a_progressive_scan_that_makes_no_sense_is_told_without_a_path() -> None:
    data = bytearray(encode(noisy(), "JPEG", progressive=True))
    data[scan_of(data) - 1] = 0xFF
    with pytest.raises(CorruptImage) as caught:
        decode(bytes(data))
    assert "/" not in str(caught.value)


def test_what_a_scan_lacks_is_known_from_its_head() -> None:
    _, stripped = formats.strip(PHOTO[:-2], 10**6)
    assert (stripped.components, stripped.ended, stripped.data[-2:]) == (3, False, END)
