"""Law: a file is an upright RGB photo or an ImageError, soon and in little memory."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from app.core.errors import CorruptImage, ImageError, NotAnImage, UnsupportedImage
from app.core.photo import formats, images, pixel_types
from app.core.photo.images import FORMATS, DecodedImage, decode, to_rgb
from app.core.photo.pixel_budget import PixelBudget
from tests.support import ROOT, encode, plain, textured
from tests.torture import corpus
from tests.torture.bombs import chunk, grey_tiff, png_of, segment, tiff_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow remarks on damage

PIXELS = 100_000
SOON_S = 2.0  # of the processor: these files are small


def obeys(data: bytes) -> None:
    begun = time.thread_time()  # what others do on this machine does not count
    outcome: DecodedImage | ImageError
    try:
        outcome = decode(data, max_pixels=PIXELS)
    except ImageError as exc:
        outcome = exc
    assert time.thread_time() - begun < SOON_S
    if isinstance(outcome, ImageError):
        assert str(outcome)
        assert "/" not in str(outcome)
    else:
        assert outcome.rgb.mode == "RGB"
        assert outcome.rgb.size == (outcome.width, outcome.height)
        assert outcome.format in FORMATS
        assert outcome.width * outcome.height <= PIXELS


@pytest.mark.parametrize("name", corpus.intact())
def test_whatever_pillow_writes_is_decoded_as_pillow_does_or_refused_by_kind(name: str) -> None:
    data = corpus.intact()[name]
    try:
        image = decode(data)
    except UnsupportedImage:
        return  # no CorruptImage: the file is whole
    with Image.open(io.BytesIO(data)) as same:
        assert image.rgb.tobytes() == to_rgb(same).tobytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_pixel_types_that_are_decoded(kind: str) -> None:
    def decodes(data: bytes) -> bool:
        try:
            return bool(decode(data))
        except UnsupportedImage:
            return False

    files = [data for name, data in corpus.intact().items() if name.startswith(kind)]
    assert sum(map(decodes, files)) >= len(files) // 3


@pytest.mark.parametrize("name", [n for n in corpus.intact() if n.split()[1] in ("L", "RGB")])
def test_a_file_cut_at_any_byte_obeys(name: str) -> None:
    data = corpus.intact()[name]
    for length in range(len(data)):
        obeys(data[:length])


@settings(max_examples=600)
@given(seed=st.integers(0, 2**32))
def test_damaged_files_obey(seed: int) -> None:
    obeys(corpus.photo(random.Random(seed))[1])


@given(head=st.sampled_from(corpus._HEADERS), tail=st.binary(max_size=500))
def test_random_bytes_behind_a_valid_start_obey(head: bytes, tail: bytes) -> None:
    obeys(head + tail)


@given(
    tags=st.dictionaries(
        st.sampled_from([*range(254, 345), 529, 530, 531, 532]),
        st.tuples(
            st.sampled_from([1, 2, 3, 4, 5, 12]),
            st.sampled_from([0, 1, 3, 5000, 2**31]),
            st.integers(0, 2**32 - 1) | st.integers(0, 40),
        ),
        max_size=12,
    )
)
def test_any_tiff_directory_obeys(tags: dict[int, tuple[int, int, int | bytes]]) -> None:
    whole: dict[int, tuple[int, int, int | bytes]] = {
        256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
        273: (4, 1, 8), 277: (3, 1, 1), 279: (4, 1, 64),
    }  # fmt: skip
    obeys(tiff_of(whole | tags) + bytes(64))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory from /proc")
def test_the_worst_files_within_the_limits_cost_little(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.torture.decoding_cost", "--report", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_jpeg_of_more_scans_than_photos_have_never_reaches_a_decoder() -> None:
    photo = encode(plain(90, (64, 48)), "JPEG", progressive=True)
    head, *scans = photo.removesuffix(b"\xff\xd9").split(b"\xff\xda")

    def with_scans(number: int) -> bytes:
        repeated = [scans[-1]] * (number - len(scans))
        return b"\xff\xda".join([head, *scans, *repeated]) + b"\xff\xd9"

    with pytest.raises(CorruptImage, match="progression"):  # the decoder's remark
        decode(with_scans(images.MAX_SCANS))
    with pytest.raises(UnsupportedImage, match="101"):
        decode(with_scans(images.MAX_SCANS + 1))


def test_how_many_scans_depends_on_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = encode(textured(64, 48), "JPEG", progressive=True)
    monkeypatch.setattr(images, "MAX_SCANNED_PIXELS", 64 * 48 * 3)
    with pytest.raises(UnsupportedImage, match="scans"):
        decode(photo)


@pytest.mark.parametrize(
    ("size", "taken"), [((100, 1), True), ((101, 1), False), ((1, 101), False)]
)
def test_a_sliver_is_no_photo(size: tuple[int, int], taken: bool) -> None:
    if taken:
        assert decode(encode(plain(9, size))).width == size[0]
    else:
        with pytest.raises(UnsupportedImage, match="narrow"):
            decode(encode(plain(9, size)))


def exif_only(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    value = struct.pack(f"{order}{'I' if kind == 4 else 'Hxx'}", orientation)
    entry = struct.pack(f"{order}HHI", 0x112, kind, 1) + value
    return head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_the_orientation_is_read_in_either_byte_order(order: str, kind: int) -> None:
    photo = encode(plain(90, (64, 48)), "JPEG")
    data = photo[:2] + segment(0xE1, b"Exif\0\0" + exif_only(6, order, kind)) + photo[2:]
    assert (decode(data).width, decode(data).height) == (48, 64)


def test_metadata_never_reaches_a_decoder() -> None:
    secret = b"0123456789" * 20
    photo = encode(plain(90, (64, 48)), "JPEG")
    jpeg = photo[:2] + segment(0xE2, b"ICC_PROFILE\0\1\1" + secret) + photo[2:] + secret
    png = png_of(8, 8, 8, 2, chunk(b"tEXt", b"k\0" + secret)) + secret
    webp = encode(plain(90), "WEBP", exif=secret, xmp=secret, icc_profile=secret)
    for data in (jpeg, png, webp):
        name, stripped = formats.strip(data, PIXELS)
        assert secret not in stripped.data, name
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_only_the_first_frame_reaches_a_decoder(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [plain(g) for g in (40, 90, 200)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    opened: list[int] = []
    reader = images._DECODERS[kind]

    def spy(file: Any) -> ImageFile.ImageFile:
        image = reader(file)
        opened.append(getattr(image, "n_frames", 1))
        return image

    monkeypatch.setitem(images._DECODERS, kind, spy)
    assert abs(np.asarray(decode(data).rgb).astype(int) - 40).max() < 4
    assert opened == [1]


def test_no_other_decoder_of_pillow_is_ever_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("Pillow chose a decoder itself")

    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(Image, "init", refuse)
    for data in (*corpus.foreign(), *corpus.intact().values()):
        try:
            decode(data)
        except ImageError:
            continue


@pytest.mark.parametrize("data", corpus.foreign())
def test_foreign_formats_are_refused(data: bytes) -> None:
    if data.startswith(b"\xff\xd8"):  # several pictures in one JPEG: the first is a JPEG
        assert decode(data).format == "JPEG"
    else:
        with pytest.raises((NotAnImage, UnsupportedImage)):
            decode(data)


@pytest.mark.parametrize("compression", [2, 3, 4, 6, 7, 32_771, 34_925, 50_000, 50_001, 0, 99])
def test_a_tiff_with_another_decoder_inside_is_refused(compression: int) -> None:
    with pytest.raises(UnsupportedImage, match="LZW"):
        decode(grey_tiff(8, 8, t259=(3, 1, compression)) + bytes(64))


@pytest.mark.parametrize("compression", [4, 5])
def test_a_bmp_with_another_format_inside_is_refused(compression: int) -> None:
    info = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 24, compression, 0, 0, 0, 0, 0)
    with pytest.raises(CorruptImage):
        decode(b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + info + encode(plain(9), "JPEG"))


def test_bigtiff_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedImage, match="BigTIFF"):
        decode(b"II+\0\x08\0\0\0" + bytes(64))


def test_a_damaged_chunk_is_noticed_by_its_checksum() -> None:
    data = bytearray(encode(textured(17, 13), compress_level=0))
    data[data.index(b"IDAT") + 60] ^= 1  # a pixel: it would decode, to something else
    with pytest.raises(CorruptImage, match="checksum"):
        decode(bytes(data))


def test_a_run_length_encoded_bmp_is_decoded_while_it_is_small() -> None:
    def runs(side: int) -> bytes:
        palette = bytes(i for i in range(256) for _ in range(4))
        info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
        rows = (b"\xff\x5a" * (side // 255) + bytes([side % 255, 90, 0, 0])) * side + b"\0\1"
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + info + palette + rows

    assert decode(runs(64)).rgb.getpixel((7, 7)) == (90, 90, 90)
    with pytest.raises(UnsupportedImage, match="run-length"):
        decode(runs(1500))


@pytest.mark.parametrize(
    "change",
    [
        {"t278": (4, 1, 1), "t273": (4, 3, b"\0" * 12), "t279": (4, 3, b"\0" * 12)},  # 3 of 8
        {"t279": (4, 1, 10_000)},  # beyond the end
        {"t273": (4, 1, 2**31)},
        {"t278": (4, 1, 0), "t279": (4, 1, 64)},
        {"t322": (4, 1, 8), "t323": (4, 1, 8), "t324": (4, 1, 8), "t325": (4, 1, 64)},
    ],
)
def test_tiff_pieces_must_fit_the_picture(change: dict[str, Any]) -> None:
    with pytest.raises(CorruptImage):
        decode(grey_tiff(8, 8, **change) + bytes(32))


def test_a_damaged_tiff_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(textured(64, 64), "TIFF", compression="tiff_lzw")
    with pytest.raises(CorruptImage):
        decode(data[:50] + b"\xff" * 40 + data[90:])
    assert capfd.readouterr().err == ""


def test_tiff_orientation_is_applied_once() -> None:
    data = grey_tiff(8, 4, t274=(3, 1, 6), t279=(4, 1, 32)) + bytes(64)
    assert (decode(data).width, decode(data).height) == (4, 8)


BANDED: dict[str, Callable[[], bytes]] = {
    "I;16": lambda: encode(Image.linear_gradient("L").convert("I;16")),
    "RGBA": lambda: encode(Image.merge("RGBA", [Image.linear_gradient("L")] * 4)),
    "LA": lambda: encode(Image.merge("LA", [Image.linear_gradient("L")] * 2)),
    "P": lambda: encode(textured(256, 256).convert("P")),
    "CMYK": lambda: encode(textured(256, 256).convert("CMYK"), "TIFF"),
}


@pytest.mark.parametrize("mode", BANDED)
def test_conversion_in_bands_changes_no_pixel(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = BANDED[mode]()
    whole = decode(data).rgb.tobytes()
    monkeypatch.setattr(pixel_types, "_BAND", 1000)
    assert decode(data).rgb.tobytes() == whole


def test_the_pixel_budget_bounds_what_is_decoded_at_once() -> None:
    budget, most, now = PixelBudget(100), 0, 0
    lock = threading.Lock()

    def work(pixels: int) -> None:
        nonlocal most, now
        for _ in range(20):
            with budget.hold(pixels):
                with lock:
                    now += min(pixels, 100)
                    most = max(most, now)
                time.sleep(0.0005)
                with lock:
                    now -= min(pixels, 100)

    threads = [threading.Thread(target=work, args=(n,)) for n in (40, 30, 90, 1000, 10, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (now, most <= 100) == (0, True)


def test_a_failed_decode_gives_its_pixels_back() -> None:
    data = png_of(300, 300, 8, 2)
    broken = data[:33] + chunk(b"IDAT", zlib.compress(b"short")) + chunk(b"IEND", b"")
    for _ in range(3):
        with pytest.raises(CorruptImage):
            decode(broken)
    assert images.IN_WORK._free == images.IN_WORK._total
