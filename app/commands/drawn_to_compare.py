"""What `compare` measures on where no labelled defective photos are stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.building.build import BuildProgress
from ..core.building.preset import Preset
from ..core.choosing.drawn_split import draw_split
from ..core.errors import DatasetError
from ..core.evaluating.on_drawn import DrawnDamage
from ..core.judging.calibration import Alpha, Rule, alpha_to_ask_for
from ..core.photo.dataset import Category
from .contenders import Contender

# Of a folder of banks: no preset's name has it, and a bank of some of the photos is no other's.
DRAWN = "+drawn"


@dataclass(frozen=True)
class Trial:
    """On what the presets of a category are tried.

    Attributes:
        photos: with the test split.
        timed: photos as the service would get them; of the others drawn ones are copies.
        drawn: None: the split is a stored one.
        remarks: why nothing was drawn.
    """

    photos: Category
    timed: tuple[Path, ...]
    drawn: DrawnDamage | None = None
    remarks: tuple[str, ...] = ()

    @property
    def beside(self) -> str:
        """What the folder of these banks is named beside the preset."""
        return DRAWN if self.drawn else ""

    def rule(self, preset: Preset, given: Rule | None) -> Rule | None:
        """The threshold's rule: a false-alarm rate that fewer photos carry, where they are fewer.

        What is told of AUROCs does not hang on it.
        """
        wanted = given or preset.threshold
        if self.drawn is None or not isinstance(wanted, Alpha):
            return given
        carried = alpha_to_ask_for(self.drawn.learnt)
        return Alpha(alpha=carried) if wanted.alpha < carried else given


@contextmanager
def trial_of(
    category: Category, contenders: Sequence[Contender], progress: BuildProgress
) -> Iterator[Trial]:
    """The stored test split, or one that is drawn for as long as it is needed."""
    views = [view for one in contenders if (view := one.view) is not None]
    if not views or any(image.is_defective for image in category.test):
        yield _stored(category)
        return
    with tempfile.TemporaryDirectory(prefix="goodsguard-") as folder:
        try:
            drawn = draw_split(category, views, Path(folder), progress=progress)
        except DatasetError as exc:
            trial = _stored(category, str(exc))
        else:
            trial = Trial(drawn.category, drawn.held_out, drawn.facts)
        yield trial


def _stored(category: Category, *remarks: str) -> Trial:
    timed = tuple(image.path for image in category.test) or category.train
    return Trial(category, timed, remarks=remarks)
