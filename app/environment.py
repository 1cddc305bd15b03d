"""The variables GOODSGUARD_… of the environment: their values as they were meant, and stray ones.

Loaded before a command says what it takes: nothing here may import torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

PREFIX = "GOODSGUARD_"

# Read by the compose files, and by the tests; they may be exported for all that is started.
OF_COMPOSE = frozenset(
    "BIND CPUS DATA GID GPUS MEMORY MODELS_MODE PORT UID".split()  # noqa: SIM905 - one line
)
# The first is `goodsguard sign`'s, the second names the folder of the tests' data.
OF_OTHERS = frozenset({"KEY_PASSPHRASE", "SHARED"})

# Kubernetes and `docker --link` set these in all that runs beside a service called goodsguard-…
_OF_ORCHESTRATORS = re.compile(
    r"([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*"
    r"|([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://.*|NAME=/.*|ENV_\w+=.*"
)
_QUOTES = "\"'"


def tidy(value: str) -> str:
    """A value without what a file of variables leaves around it: blanks, a CR, a pair of quotes."""
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1].strip() if quoted and value[0] not in value[1:-1] else value


def variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Name without prefix, in capitals -> tidy value."""
    named = {name.upper(): tidy(value) for name, value in environment.items()}
    return {n.removeprefix(PREFIX): v for n, v in named.items() if n.startswith(PREFIX)}


def tidy_up() -> None:
    """Tidy the values for whoever reads the environment itself, as the commands' options do."""
    for name, value in os.environ.items():
        if name.upper().startswith(PREFIX):
            os.environ[name] = tidy(value)


def strays(known: Iterable[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable that nothing reads: misspelt, it would be ignored in silence.

    Args:
        known: names of settings, without prefix, in capitals.
    """
    names = set(known)
    others = OF_COMPOSE | OF_OTHERS
    found = [
        name
        for name, value in variables(environment).items()
        if name not in names | others and not _OF_ORCHESTRATORS.fullmatch(f"{name}={value}")
    ]
    return [_sentence(name, names) for name in sorted(found)]


def _sentence(name: str, known: set[str]) -> str:
    alike = {candidate.replace("_", ""): candidate for candidate in sorted(known)}
    nearest = get_close_matches(name.replace("_", ""), alike, n=1, cutoff=0.6)
    meant = f"; {PREFIX}{alike[nearest[0]]} is the nearest" if nearest else ""
    return f"{PREFIX}{name} is no setting{meant}: correct its name, or unset it"
