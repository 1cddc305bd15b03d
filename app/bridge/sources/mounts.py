"""Whether a folder lies on a network mount, where the system tells nobody of what others write."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ON_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|virtiofs|ceph|glusterfs|afs|davfs|vboxsf|drvfs|fuse\.(?!fuse-overlayfs).*"
)


def is_on_network(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """By the kind of file system of the mount that it lies on; False where the system says none.

    Args:
        mounts: as Linux lists them in `/proc/self/mountinfo`.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
        place = folder.resolve()
    except OSError:
        return False
    best, kind = -1, ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), fields.split()[4]))
        # Of several on one place the last one is seen.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return _ON_NETWORK.fullmatch(kind) is not None
