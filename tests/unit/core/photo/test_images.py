from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from app.core.errors import CorruptImage, ImageError, NotAnImage, TooManyPixels, UnsupportedImage
from app.core.photo.images import FORMATS, MAX_PIXELS, decode, to_rgb
from tests.support import Pixels, encode, plain, png, textured

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {},
}
ALL_FORMATS = (*LOSSLESS, "JPEG")


def rgb_pixels(data: bytes) -> Pixels:
    return np.asarray(decode(data).rgb)


def pictures(channels: int | None, dtype: type[np.generic] = np.uint8) -> st.SearchStrategy[Any]:
    shape = (5, 7) if channels is None else (5, 7, channels)
    return arrays.arrays(dtype, shape)


def on_white(colour: Pixels, alpha: Pixels) -> np.ndarray[Any, np.dtype[np.float64]]:
    share = alpha.astype(np.float64)[..., None] / 255
    return colour * share + 255 * (1 - share)


@pytest.mark.parametrize("kind", LOSSLESS)
@given(pixels=pictures(3))
def test_rgb_pixels_come_through_unchanged(kind: str, pixels: Pixels) -> None:
    data = encode(Image.fromarray(pixels), kind, **LOSSLESS[kind])
    np.testing.assert_array_equal(rgb_pixels(data), pixels)


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_format_is_read_from_the_content(kind: str) -> None:
    assert decode(encode(plain(90), kind)).format == kind


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_size_is_that_of_the_photo(kind: str) -> None:
    image = decode(encode(plain(90, (31, 17)), kind))
    assert (image.width, image.height, image.rgb.size) == (31, 17, (31, 17))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@given(pixels=pictures(None))
def test_8_bit_grey_fills_all_channels(kind: str, pixels: Pixels) -> None:
    data = encode(Image.fromarray(pixels), kind)
    np.testing.assert_array_equal(rgb_pixels(data), np.repeat(pixels[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_bilevel_becomes_black_and_white(kind: str) -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert rgb_pixels(encode(image, kind)).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_jpeg_is_close_to_what_was_saved() -> None:
    picture = textured(64, 48)
    difference = rgb_pixels(encode(picture, "JPEG", quality=95)).astype(int) - np.asarray(picture)
    assert np.abs(difference).mean() < 3


def test_grey_jpeg_becomes_rgb() -> None:
    image = decode(encode(plain(77).convert("L"), "JPEG"))
    assert image.rgb.mode == "RGB"
    assert image.rgb.getpixel((3, 3)) == (77, 77, 77)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@given(pixels=pictures(4))
def test_alpha_is_composited_on_white(kind: str, pixels: Pixels) -> None:
    data = encode(Image.fromarray(pixels, "RGBA"), kind, **LOSSLESS[kind])
    expected = on_white(pixels[..., :3], pixels[..., 3])
    np.testing.assert_allclose(rgb_pixels(data), expected, atol=1.01)


@given(pixels=pictures(2))
def test_grey_with_alpha_is_composited_on_white(pixels: Pixels) -> None:
    image = Image.merge("LA", [Image.fromarray(pixels[..., i].copy()) for i in (0, 1)])
    expected = on_white(np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1])
    np.testing.assert_allclose(rgb_pixels(encode(image)), expected, atol=1.01)


@given(pixels=pictures(None), palette=arrays.arrays(np.uint8, (256, 3)))
def test_palette_colours_are_looked_up(pixels: Pixels, palette: Pixels) -> None:
    image = Image.fromarray(pixels)
    image.putpalette(palette.tobytes())
    np.testing.assert_array_equal(rgb_pixels(encode(image)), palette[pixels])


@given(pixels=pictures(None), alphas=arrays.arrays(np.uint8, 256))
def test_transparent_palette_entries_turn_white(pixels: Pixels, alphas: Pixels) -> None:
    palette = np.arange(768, dtype=np.int64).reshape(256, 3).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.putpalette(palette.tobytes())
    data = encode(image, transparency=alphas.tobytes())
    np.testing.assert_allclose(
        rgb_pixels(data), on_white(palette[pixels], alphas[pixels]), atol=1.01
    )


@pytest.mark.parametrize(("mode", "seen"), [("L", 9), ("RGB", (9, 9, 9))])
def test_a_transparent_colour_turns_white(mode: str, seen: Any) -> None:
    image = Image.new(mode, (2, 1), seen)
    image.putpixel((1, 0), 50 if mode == "L" else (50, 50, 50))
    assert rgb_pixels(encode(image, transparency=seen)).tolist() == [[[255] * 3, [50] * 3]]


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA", "RGBA", "LA"])
def test_fully_transparent_pixels_are_white_in_every_alpha_mode(mode: str) -> None:
    image = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    if mode == "PA":
        image = Image.new("PA", (2, 2), (0, 0))
    elif mode in ("La", "LA"):
        image = Image.new("LA", (2, 2), (10, 0)).convert(mode)
    else:
        image = image.convert(mode)
    assert to_rgb(image).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "YCbCr", "HSV", "RGBX", "CMYK", "P", "L", "1"])
def test_plain_modes_are_converted_as_pillow_does(mode: str) -> None:
    image = textured(24, 16).convert(mode)
    np.testing.assert_array_equal(np.asarray(to_rgb(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 255, 255, 0), (255, 0, 0)),
    ],
)
def test_cmyk_ink_becomes_its_colour(kind: str, ink: Any, colour: Any) -> None:
    pixel = rgb_pixels(encode(Image.new("CMYK", (16, 16), ink), kind))[8, 8]
    np.testing.assert_allclose(pixel, colour, atol=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@given(pixels=pictures(None, np.uint16))
def test_16_bit_grey_is_scaled_over_its_whole_range(kind: str, pixels: Any) -> None:
    shown = rgb_pixels(encode(Image.fromarray(pixels), kind))
    np.testing.assert_array_equal(shown[..., 0], np.rint(pixels / 257).astype(np.uint8))
    np.testing.assert_array_equal(shown[..., 0], shown[..., 2])


def test_16_bit_grey_with_a_transparent_value_is_scaled_too() -> None:
    pixels = np.array([[0, 1000, 30_000, 65_535]], dtype=np.uint16)
    data = encode(Image.fromarray(pixels), transparency=1000)
    assert rgb_pixels(data)[0, :, 0].tolist() == [0, 255, 117, 255]


def test_big_endian_16_bit_tiff_is_scaled() -> None:
    image = Image.frombytes("I;16B", (2, 1), struct.pack(">2H", 257 * 3, 65_535))
    assert rgb_pixels(encode(image, "TIFF"))[0, :, 0].tolist() == [3, 255]


def test_32_bit_grey_within_16_bits_is_read_as_16_bits() -> None:
    image = Image.fromarray(np.array([[0, 257, 65_535]], dtype=np.int32))
    assert rgb_pixels(encode(image, "TIFF"))[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize("value", [-1, 65_536, 2**31 - 1])
def test_32_bit_grey_beyond_16_bits_is_refused(value: int) -> None:
    image = Image.fromarray(np.array([[0, value]], dtype=np.int32))
    with pytest.raises(UnsupportedImage, match="16 bits"):
        decode(encode(image, "TIFF"))


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_pixel_types_without_a_defined_range_are_refused(mode: str) -> None:
    with pytest.raises(UnsupportedImage, match=mode):
        decode(encode(Image.new(mode, (4, 4)), "TIFF"))


def test_16_bit_rgb_keeps_its_high_bits() -> None:
    rows = b"\0" + struct.pack(">6H", 0x12FF, 0x3400, 0x56AB, 0xFFFF, 0x00FF, 0x8000)
    shown = rgb_pixels(png(2, 1, 16, 2, rows))
    assert shown.tolist() == [[[0x12, 0x34, 0x56], [0xFF, 0x00, 0x80]]]


# How a camera stores an upright picture for each EXIF orientation.
STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: lambda a: np.rot90(a, -1),
}


def turned(upright: Pixels, orientation: int, kind: str) -> bytes:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = LOSSLESS.get(kind, {"quality": 100, "subsampling": 0})
    return encode(stored, kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = np.asarray(textured(48, 32))
    image = decode(turned(upright, orientation, kind))
    tolerance = 6 if kind == "JPEG" else 0
    np.testing.assert_allclose(np.asarray(image.rgb).astype(int), upright, atol=tolerance)
    assert (image.width, image.height) == (48, 32)


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_does_not_exist_changes_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    picture = textured(20, 10)
    np.testing.assert_array_equal(rgb_pixels(encode(picture, exif=exif)), np.asarray(picture))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on what it skips
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk"])
def test_broken_exif_does_not_cost_the_photo(exif: bytes) -> None:
    assert decode(encode(plain(50), "JPEG", exif=exif)).rgb.getpixel((0, 0)) == (50, 50, 50)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_several_is_taken(kind: str) -> None:
    data = encode(plain(40), kind, save_all=True, append_images=[plain(200)], **LOSSLESS[kind])
    with Image.open(io.BytesIO(data)) as opened:
        assert getattr(opened, "n_frames", 1) == 2
    assert decode(data).rgb.getpixel((5, 5)) == (40, 40, 40)


def test_several_pictures_in_one_jpeg_are_a_jpeg() -> None:
    data = encode(plain(40), "MPO", save_all=True, append_images=[plain(200)])
    image = decode(data)
    assert (image.format, image.rgb.getpixel((5, 5))) == ("JPEG", (40, 40, 40))


@given(
    size=st.tuples(st.integers(40, 900), st.integers(40, 900)),
    at_least=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    orientation=st.sampled_from([1, 6]),
)
def test_a_reduced_decode_never_falls_below_what_is_asked(
    size: tuple[int, int], at_least: tuple[int, int], orientation: int
) -> None:
    data = turned(np.asarray(plain(99, size)), orientation, "JPEG")
    image = decode(data, at_least=at_least)
    assert (image.width, image.height) == size
    assert image.rgb.width >= min(at_least[0], size[0])
    assert image.rgb.height >= min(at_least[1], size[1])


def test_a_reduced_decode_is_reduced() -> None:
    image = decode(encode(textured(1600, 1200), "JPEG"), at_least=(200, 150))
    assert image.rgb.size == (200, 150)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_reduced_decode_looks_like_the_full_one(orientation: int) -> None:
    data = turned(np.asarray(textured(1200, 900)), orientation, "JPEG")
    full = decode(data).rgb.resize((160, 120), Image.Resampling.BILINEAR)
    reduced = decode(data, at_least=(320, 240)).rgb.resize((160, 120), Image.Resampling.BILINEAR)
    difference = np.abs(np.asarray(full).astype(int) - np.asarray(reduced))
    assert difference.mean() < 2


@pytest.mark.parametrize("kind", LOSSLESS)
def test_other_formats_are_decoded_in_full_whatever_suffices(kind: str) -> None:
    assert decode(encode(plain(9, (300, 200)), kind), at_least=(10, 10)).rgb.size == (300, 200)


def header_only(kind: str, side: int) -> bytes:
    """A file that announces side × side pixels and holds none."""
    if kind == "PNG":
        return png(side, side, 8, 2, None)
    if kind == "BMP":
        info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info
    if kind == "JPEG":
        frame = struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\x00"
        start_of_frame = b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
        start_of_scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
        return b"\xff\xd8" + start_of_frame + start_of_scan
    tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side, 279: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags.items())
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG", "TIFF"])
def test_too_many_pixels_are_refused_from_the_header(kind: str) -> None:
    with pytest.raises(TooManyPixels, match="50000 × 50000"):
        decode(header_only(kind, 50_000))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG", "TIFF"])
def test_the_same_header_within_the_limit_is_a_broken_image(kind: str) -> None:
    with pytest.raises(CorruptImage):
        decode(header_only(kind, 50))


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_the_pixel_limit_is_inclusive(kind: str) -> None:
    data = encode(plain(9, (30, 20)), kind)
    assert decode(data, max_pixels=600).width == 30
    with pytest.raises(TooManyPixels, match="599"):
        decode(data, max_pixels=599)


def test_default_limit_lets_a_3000_by_3000_photo_in() -> None:
    assert MAX_PIXELS > 3000 * 3000


CUT: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("BMP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on some of the cuts
@pytest.mark.parametrize(("kind", "options"), CUT)
def test_a_file_cut_at_any_byte_is_refused_unless_all_pixels_are_there(
    kind: str, options: dict[str, Any]
) -> None:
    data = encode(textured(17, 13), kind, **options)
    whole = rgb_pixels(data)
    readable = 0
    for length in range(len(data)):
        try:
            shown = rgb_pixels(data[:length])
        except ImageError:
            continue
        readable += 1
        # PNG's end mark and BMP's row padding hold no pixels.
        np.testing.assert_array_equal(shown, whole)
    assert readable <= 20


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_half_a_file_is_corrupt(kind: str) -> None:
    data = encode(textured(64, 64), kind)
    if kind == "TIFF":  # its directory lies at the end, without which nothing is recognised
        data = encode(textured(64, 64), kind, tiffinfo={270: "x" * 20_000})
    with pytest.raises((CorruptImage, NotAnImage)):
        decode(data[: len(data) // 2])


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(data=st.binary(max_size=400), magic=st.sampled_from([b"", b"\xff\xd8\xff", b"BM", b"II*\0"]))
def test_random_bytes_are_refused(data: bytes, magic: bytes) -> None:
    with pytest.raises(ImageError):
        decode(magic + data)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ALL_FORMATS)
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(
    kind: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(encode(textured(17, 13), kind))
    for position, value in changes:
        data[position % len(data)] = value
    try:
        image = decode(bytes(data), max_pixels=1_000_000)
    except ImageError:
        return
    assert image.rgb.mode == "RGB"
    assert image.width * image.height <= 1_000_000


@pytest.mark.parametrize("kind", ["GIF", "ICO", "PPM"])
def test_formats_outside_the_allow_list_are_told_by_name(kind: str) -> None:
    assert kind not in FORMATS
    with pytest.raises(UnsupportedImage, match=r"file, which is not read: send a JPEG"):
        decode(encode(plain(9), kind))


@pytest.mark.parametrize("data", [b"", b"\0", b"PK", bytes(50)])
def test_no_image_at_all_is_not_an_image(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        decode(data)


def test_an_error_never_shows_a_path() -> None:
    with pytest.raises(CorruptImage) as caught:
        decode(encode(plain(9, (64, 64)), "JPEG")[:400])
    assert "/" not in str(caught.value)
