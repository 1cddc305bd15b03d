from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.building.copies import copies_of_files, find_copies
from app.core.photo.fingerprint import Fingerprint
from app.core.photo.images import decode
from tests.drawn import photo
from tests.support import encode, plain

PHOTOS = [photo(seed)[0] for seed in range(12)]


def printed(*files: bytes) -> list[Fingerprint]:
    return [Fingerprint.of(data, decode(data)) for data in files]


def jpeg(image: Image.Image, quality: int) -> bytes:
    return encode(image, "JPEG", quality=quality)


def turned(image: Image.Image) -> bytes:
    """Stored lying on its side, with the mark that brings it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = image.transpose(Image.Transpose.ROTATE_90)
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def cropped(image: Image.Image, share: float) -> bytes:
    w, h = image.size
    box = (int(w * share * 0.7), int(h * share * 0.2), int(w - w * share * 0.3), int(h - h * share))
    return jpeg(image.crop(box), 93)


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "the same file": encode,
    "quality 93": lambda image: jpeg(image, 93),
    "quality 80": lambda image: jpeg(image, 80),
    "another lossless format": lambda image: encode(image, "BMP"),
    "resized": lambda image: jpeg(image.resize((144, 144), Image.Resampling.LANCZOS), 95),
    "enlarged": lambda image: encode(image.resize((320, 320), Image.Resampling.BICUBIC)),
    "turned by its EXIF": turned,
    "cropped by 2 %": lambda image: cropped(image, 0.02),
    "cropped by 5 %": lambda image: cropped(image, 0.05),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_each_photo_is_set_aside(kind: str) -> None:
    files = [encode(image) for image in PHOTOS]
    found = find_copies(printed(*files, *(COPIES[kind](image) for image in PHOTOS)))
    assert found.set_aside == len(PHOTOS)
    assert sorted(map(sorted, found.clusters())) == [[i, i + 12] for i in range(12)]


def test_photos_of_one_mould_are_no_copies() -> None:
    assert find_copies(printed(*map(encode, PHOTOS))).set_aside == 0


def test_photos_that_differ_by_their_noise_alone_are_no_copies() -> None:
    scene = np.asarray(PHOTOS[0].convert("RGB")).astype(float)
    noise = np.random.default_rng(0).normal(0, 4, (8, *scene.shape))
    files = [encode(Image.fromarray(np.clip(scene + n, 0, 255).astype(np.uint8))) for n in noise]
    assert find_copies(printed(*files)).set_aside == 0


def test_plain_photos_are_copies_only_if_they_are_equal() -> None:
    found = find_copies(printed(*(encode(plain(grey)) for grey in (100, 101, 102, 101))))
    assert found.clusters() == [[1, 3]]


def test_the_photo_of_most_pixels_is_kept_then_the_larger_file() -> None:
    small, large = PHOTOS[0].resize((120, 120)), PHOTOS[0]
    found = find_copies(printed(encode(small), jpeg(large, 90), encode(large)))
    assert found.clusters() == [[2, 0, 1]]
    assert found.kept == [2]


def test_of_equal_files_the_shortest_name_is_kept_then_the_first() -> None:
    prints = printed(*[encode(PHOTOS[0])] * 4)
    names = ["000001 (1)", "000001 - Copy", "000001", "000002"]
    assert find_copies(prints, names=names).clusters() == [[2, 0, 1, 3]]
    assert find_copies(prints).clusters() == [[0, 1, 2, 3]]
    better = printed(encode(PHOTOS[0]), jpeg(PHOTOS[0], 93))
    assert find_copies(better, names=["a longer name", "a"]).kept == [0]


def test_many_copies_of_each_photo_leave_one_of_each() -> None:
    files = [jpeg(image, quality) for image in PHOTOS for quality in (95, 93, 90, 88, 85)]
    assert len(find_copies(printed(*files)).kept) == len(PHOTOS)


def test_no_photo_and_one_photo() -> None:
    assert find_copies([]).kept == []
    assert find_copies(printed(encode(PHOTOS[0]))).kept == [0]


def test_the_remark_names_the_first_copies(tmp_path: Path) -> None:
    for name, image in {"a.png": 0, "b.png": 1, "c.png": 0, "d.png": 2}.items():
        (tmp_path / name).write_bytes(encode(PHOTOS[image]))
    (tmp_path / "broken.png").write_bytes(b"no image")
    paths = sorted(tmp_path.iterdir())
    assert copies_of_files(paths) == (
        1,
        "1 of 4 photos are copies of others and count once: a.png = c.png",
    )
    assert copies_of_files(paths[1:2]) == (0, "")
