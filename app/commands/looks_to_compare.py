"""The looks that each preset is compared with, as the options of `compare` ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.building.looking import LookChoice, chosen
from ..core.building.preset import Preset
from ..core.choosing.candidates import crop_of
from ..core.errors import PresetError
from ..core.photo.look import Shares

AUTO = "auto"


@dataclass(frozen=True)
class AskedLook:
    """A look in place of the preset's own.

    Attributes:
        kind: whole, box, mask, learned or auto.
        choice: None: chosen by trial, when the bank is built.
        given: the user's own box or mask, which a trial tries, too.
    """

    kind: str
    choice: LookChoice | None = None
    given: LookChoice | None = None

    def applied_to(self, preset: Preset) -> Preset:
        return preset.model_copy(update={"look": self.choice}) if self.choice else preset

    def is_own_of(self, preset: Preset) -> bool:
        """Whether the preset looks so by itself."""
        return self.choice == preset.look

    @property
    def crop(self) -> Shares | None:
        """To what photos are cropped, now or after a trial."""
        wanted = self.choice or self.given
        return None if wanted is None else crop_of(wanted)


def asked_looks(
    kinds: Sequence[str], box: str | None, mask: Path | None, *, zoom: bool = False
) -> list[AskedLook]:
    """Each look once, in the order given, then a box and a mask that no look was named for; empty:
    the presets' own.

    A box is a look, and a mask is one. `auto` tries what `build --look auto` tries with them.

    Raises:
        PresetError: a look that is not there or given twice, a box or mask that is missing or
            cannot be used, a zoom without a box.
    """
    for kind in kinds:
        if list(kinds).count(kind) > 1:
            raise PresetError(f"--look {kind} is given more than once: name each look once")
    if zoom and box is None:
        raise PresetError("--zoom crops to a box: give it by --box")
    beside = [("box", box), ("mask", mask)]
    wanted = [*kinds, *(kind for kind, value in beside if value is not None and kind not in kinds)]
    return [_asked(kind, box, mask, zoom=zoom) for kind in wanted]


def _asked(kind: str, box: str | None, mask: Path | None, *, zoom: bool) -> AskedLook:
    if kind == AUTO:
        return AskedLook(AUTO, given=chosen(None, box, mask, zoom=zoom))
    choice = chosen(
        kind,
        box if kind == "box" else None,
        mask if kind == "mask" else None,
        zoom=zoom and kind == "box",
    )
    assert choice is not None
    choice.seen()  # a mask that cannot be read is told now, not after each category
    return AskedLook(kind, choice)
