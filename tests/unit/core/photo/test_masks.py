from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from app.core.errors import CorruptImage, MaskError
from app.core.photo.masks import read_mask

SIZE = (40, 30)
BOX = (8, 8, 24, 16)  # on JPEG's grid of 8 pixels


def marked(box: tuple[int, int, int, int] = BOX) -> npt.NDArray[np.bool_]:
    found = np.zeros(SIZE[::-1], dtype=bool)
    found[box[1] : box[3], box[0] : box[2]] = True
    return found


def written(path: Path, image: Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def drawn(mode: str, on: object, off: object = 0) -> Image.Image:
    image = Image.new(mode, SIZE, off)  # type: ignore[arg-type]
    image.paste(on, BOX)  # type: ignore[arg-type]
    return image


def palette(colours: list[int]) -> Image.Image:
    image = drawn("P", 1)
    image.putpalette(colours)
    return image


def grey16(value: int) -> Image.Image:
    return Image.fromarray(marked().astype(np.uint16) * value)


CLEAR = (0, 0, 0, 0)
MASKS = {
    "white": drawn("L", 255),
    "value 1": drawn("L", 1),
    "one bit": drawn("1", 1),
    "a dark colour": drawn("RGB", (128, 0, 0), (0, 0, 0)),
    "a palette": palette([0, 0, 0, 128, 0, 0]),
    "16 bit, full": grey16(65_535),
    "16 bit, value 1": grey16(1),
    "white on nothing": drawn("RGBA", (255, 255, 255, 255), CLEAR),
    "black on nothing": drawn("RGBA", (0, 0, 0, 255), CLEAR),
    "white everywhere, alpha marks": drawn("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)),
    "half transparent": drawn("RGBA", (255, 255, 255, 90), CLEAR),
    "opaque alpha": drawn("RGBA", (255, 255, 255, 255), (0, 0, 0, 255)),
    "grey and alpha": drawn("LA", (255, 255), (0, 0)),
}


@pytest.mark.parametrize("name", MASKS)
def test_what_a_file_marks_however_it_says_so(tmp_path: Path, name: str) -> None:
    found = read_mask(written(tmp_path / "mask.png", MASKS[name]), SIZE)
    np.testing.assert_array_equal(found, marked())


def test_a_clear_rim_around_an_opaque_mask_is_not_the_mask(tmp_path: Path) -> None:
    image = Image.new("RGBA", SIZE, CLEAR)
    image.paste((0, 0, 0, 255), (2, 2, 38, 28))
    image.paste((255, 255, 255, 255), BOX)
    np.testing.assert_array_equal(read_mask(written(tmp_path / "m.png", image), SIZE), marked())


def test_each_of_several_grey_values_marks(tmp_path: Path) -> None:
    image = drawn("L", 254)
    image.paste(253, (30, 20, 40, 30))
    expected = marked() | marked((30, 20, 40, 30))
    np.testing.assert_array_equal(read_mask(written(tmp_path / "m.png", image), SIZE), expected)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_noise_of_a_jpeg_is_no_mark(tmp_path: Path, quality: int) -> None:
    mask = Image.new("L", SIZE)
    mask.paste(255, (9, 9, 23, 15))
    path = written(tmp_path / "m.jpg", mask, quality=quality)
    assert len(np.unique(np.asarray(Image.open(path)))) > 2
    wrong = read_mask(path, SIZE) != marked((9, 9, 23, 15))
    assert wrong.sum() <= 4


def test_noise_that_was_saved_again_without_loss_is_no_mark(tmp_path: Path) -> None:
    mask = Image.new("L", SIZE)
    box = (9, 9, 23, 15)
    mask.paste(255, box)
    buffer = io.BytesIO()
    mask.save(buffer, "JPEG", quality=80)
    again = Image.open(buffer)
    assert len(np.unique(np.asarray(again))) > 8
    found = read_mask(written(tmp_path / "m.png", again), SIZE)
    assert (found != marked(box)).sum() <= 4


def test_a_black_jpeg_marks_nothing(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 12, SIZE[::-1], np.uint8)
    path = written(tmp_path / "m.jpg", Image.fromarray(noisy), quality=90)
    with pytest.raises(MaskError, match="nothing is marked"):
        read_mask(path, SIZE)


def test_the_files_of_a_folder_are_united(tmp_path: Path) -> None:
    written(tmp_path / "007" / "000.png", drawn("L", 255))
    other = Image.new("L", SIZE)
    other.paste(255, (30, 20, 40, 30))
    written(tmp_path / "007" / "001.png", other)
    expected = marked() | marked((30, 20, 40, 30))
    np.testing.assert_array_equal(read_mask(tmp_path / "007", SIZE), expected)


def test_a_scaled_copy_is_read_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "m.png", drawn("L", 255))
    for factor in (0.5, 2, 33.35):
        size = round(SIZE[0] * factor), round(SIZE[1] * factor)
        np.testing.assert_array_equal(read_mask(path, size), marked())


@pytest.mark.parametrize("size", [(30, 40), (40, 40), (400, 200)])
def test_another_shape_than_the_photo_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    path = written(tmp_path / "m.png", drawn("L", 255))
    with pytest.raises(MaskError, match=f"40 × 30 pixels, its photo {size[0]} × {size[1]}"):
        read_mask(path, size)


@pytest.mark.parametrize("image", [Image.new("L", SIZE), Image.new("RGBA", SIZE, CLEAR)])
def test_a_mask_without_a_mark_is_refused(tmp_path: Path, image: Image.Image) -> None:
    with pytest.raises(MaskError, match="nothing is marked"):
        read_mask(written(tmp_path / "m.png", image), SIZE)


def test_an_empty_folder_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / "007").mkdir()
    with pytest.raises(MaskError, match="nothing is marked"):
        read_mask(tmp_path / "007", SIZE)


def test_a_broken_mask_is_a_broken_image(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(CorruptImage):
        read_mask(tmp_path / "m.png", SIZE)
