from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import DatasetError
from app.core.features.sample import Sample
from app.core.features.spool import Spool

shapes = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12)


@given(shapes=shapes, memory=st.integers(0, 600))
def test_what_goes_in_comes_out_from_memory_or_file(
    shapes: list[tuple[int, int]], memory: int
) -> None:
    generator = np.random.default_rng(0)
    photos = [generator.random((*shape, 3), dtype=np.float32) for shape in shapes]
    with Spool(memory) as spool:
        for photo in photos:
            spool.append(Sample(photo, len(spool), 2, (20, 20)))
        assert len(spool) == len(photos)
        for index in reversed(range(len(photos))):
            np.testing.assert_array_equal(spool[index].cells, photos[index])
            assert (spool[index].top, spool[index].left, spool[index].grid) == (index, 2, (20, 20))
        for sample, photo in zip(spool, photos, strict=True):
            np.testing.assert_array_equal(sample.patches, photo.reshape(-1, 3))


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_what_changes_outside_does_not_change_inside(memory: int) -> None:
    photo = np.ones((2, 2, 3), dtype=np.float32)
    with Spool(memory) as spool:
        spool.append(Sample(photo, 0, 0, (2, 2)))
        photo[:] = 7
        assert (spool[0].cells == 1).all()


def test_no_temporary_folder_is_an_error_that_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DatasetError, match="TMPDIR"):
        Spool()
