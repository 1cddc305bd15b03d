"""Which file, or folder of files, is the mask of a photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..files import shown
from .listing import few, folders, photos_below

_ENDINGS = ("_mask", "-mask", "_gt", "")

Place = tuple[str, ...]  # folders below that of the defect type, in small letters


class MaskFiles:
    """The masks of one defect type's photos.

    `<stem>_mask.png`, `<stem>.png`, any format that photos may have, or a folder `<stem>` of
    several files; letters in any case; where the photos lie in folders below their type's, in the
    same ones or directly.
    """

    def __init__(self, roots: Sequence[Path], photos: Sequence[Path], base: Sequence[Path]) -> None:
        """`roots`: `ground_truth/<type>`. `base`: the type's folders that the photos lie below."""
        self._base = base
        self._files: dict[tuple[Place, str], list[Path]] = {}
        for root in roots:
            for path in photos_below(root).photos:
                self._put(root, path, path.stem)
            for path in _all_folders(root):
                self._put(root, path, path.name)
        self._places = Counter(stem for _, stem in {self._key(path) for path in photos})
        self._spellings = Counter(key for key, _ in {(self._key(p), p.stem) for p in photos})
        self._taken: set[Path] = set()

    def of(self, photo: Path) -> Path | None:
        """The photo's mask: a file, or a folder of files; None without one."""
        place, stem = self._key(photo)
        # Two photos of one name in two folders cannot share a mask that lies in neither.
        places = (place, ()) if self._places[stem] == 1 else (place,)
        for where in places:
            for ending in _ENDINGS:
                found = self._files.get((where, f"{stem}{ending}"), [])
                exact = [p for p in found if p.stem == f"{photo.stem}{ending}" or p.is_dir()]
                if not exact and self._spellings[place, stem] == 1:
                    exact = found
                if exact:
                    best = min(exact, key=lambda p: (p.is_dir(), p.suffix.lower() != ".png", p))
                    self._taken.add(best)
                    return best
        return None

    def unused(self) -> str:
        """What of the masks belongs to no photo; empty where all do."""
        left = [
            path
            for paths in self._files.values()
            for path in paths
            if path.is_file() and not self._taken & {path, *path.parents}
        ]
        names = few(sorted(shown(path.name) for path in left))
        return f"{len(left)} masks have no photo of their name: {names}" if left else ""

    def _put(self, root: Path, path: Path, stem: str) -> None:
        place = tuple(part.casefold() for part in path.parent.relative_to(root).parts)
        self._files.setdefault((place, stem.casefold()), []).append(path)

    def _key(self, photo: Path) -> tuple[Place, str]:
        base = next(base for base in self._base if base in photo.parents)
        place = tuple(part.casefold() for part in photo.parent.relative_to(base).parts)
        return place, photo.stem.casefold()


def _all_folders(root: Path) -> list[Path]:
    found: list[Path] = []
    waiting = [root]
    while waiting:
        inner = folders(waiting.pop())
        found += inner
        # A folder that is linked into itself ends here.
        waiting += [path for path in inner if not path.is_symlink()]
    return found
