"""The one fault that the command line reports."""

from __future__ import annotations


class CartonsError(Exception):
    """The data set cannot be written; the message says why."""
