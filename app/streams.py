"""Standard output and error that never cost a command its work.

What they do not take in their encoding becomes `?`. Once nobody reads on (`| head`), or the disk
behind them is full, the rest goes nowhere, and the files that a command writes are written.
"""

from __future__ import annotations

import io
import os
import sys


class SteadyStream(io.TextIOWrapper):
    """A text stream over another's buffer; a write that fails is the last one that counts.

    Attributes:
        failed: the first fault, if any.
    """

    failed: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as exc:
            self._give_up(exc)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as exc:
            self._give_up(exc)

    def _give_up(self, exc: OSError) -> None:
        """Send what is still buffered, and all that follows, nowhere."""
        self.failed = self.failed or exc
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def make_steady() -> None:
    """Do it to standard output and error, where they are the process's own."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper:  # a test's, a notebook's, or steady already
            continue
        stream.reconfigure(errors="replace")
        steady = SteadyStream(
            stream.buffer,
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, steady)


def lost() -> OSError | None:
    """Why standard output did not get all; None also where its reader just had enough."""
    sys.stdout.flush()
    failed = getattr(sys.stdout, "failed", None)
    return None if isinstance(failed, BrokenPipeError) else failed
