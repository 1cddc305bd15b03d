"""Sign stored banks with an Ed25519 key, make such a key, or see who signed what.

    goodsguard sign --generate-key bank_key.pem
    goodsguard sign --key bank_key.pem --category drink_can
    goodsguard sign --verify --trusted bank_key.pem.pub

Every build and every new threshold makes a version of its own, which must be signed anew. The
passphrase of an encrypted key comes from the environment, GOODSGUARD_KEY_PASSPHRASE, where it does
not show in the list of processes; with it set, a new key is encrypted too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..cli import CategoryOption, ModelsOption, complain, console, show, stop
from ..core.errors import GoodsGuardError

if TYPE_CHECKING:
    from ..core.store.manifest import Manifest
    from ..core.store.signing_keys import TrustedKeys

VARIABLE = "GOODSGUARD_KEY_PASSPHRASE"
CURRENT = "current"


def main(
    category: CategoryOption = None,
    models: ModelsOption = Path("models"),
    version: Annotated[
        str, typer.Option(help="A bank version, or current: the one that serves.")
    ] = CURRENT,
    key: Annotated[Path | None, typer.Option(help="Sign with this private key (PEM).")] = None,
    generate_key: Annotated[
        Path | None, typer.Option(help="Make a key: this file and FILE.pub; overwrites nothing.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Say who signed, and fail on a fault.")
    ] = False,
    trusted: Annotated[
        Path | None, typer.Option(help="With --verify: a PEM file of public keys, or a folder.")
    ] = None,
) -> None:
    """Sign banks, make a key for that, or see who signed what.

    Give exactly one of --key, --generate-key and --verify. A key's passphrase is read from the
    environment: GOODSGUARD_KEY_PASSPHRASE.
    """
    from ..core.store import signing_keys

    if sum([key is not None, generate_key is not None, verify]) != 1:
        raise stop("give exactly one of --key, --generate-key and --verify")
    if verify != (trusted is not None):
        raise stop("--verify and --trusted go together")
    try:
        if generate_key is not None:
            _generate(generate_key)
        elif key is not None:
            # Signing vouches for a bank; nobody vouches for whatever happens to be there.
            if not category:
                raise stop("name what to sign with --category")
            _sign(models, category, version, key)
        elif trusted is not None:
            _verify(models, category, version, signing_keys.load_trusted(trusted))
    except GoodsGuardError as exc:
        raise stop(str(exc)) from exc


def _generate(file: Path) -> None:
    from ..core.store import signing_keys

    key = signing_keys.generate_key()
    public = signing_keys.write_key_pair(file, key, _passphrase())
    state = "encrypted" if _passphrase() else f"not encrypted; set {VARIABLE} for that"
    console.print(f"private key: {file} ({state})", markup=False, soft_wrap=True)
    console.print(f"public key: {public}", markup=False, soft_wrap=True)
    console.print(f"key id: {signing_keys.key_id(key.public_key())}")


def _sign(models: Path, names: list[str], version: str, key: Path) -> None:
    from ..core.store import signing, signing_keys
    from ..core.store.whereabouts import stored_category

    private = signing_keys.load_private(key, _passphrase())
    # All are read and checked before the first is signed: no half of the list is left signed.
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(_load(models, stored_category(models, name), version))
        except GoodsGuardError as exc:
            raise stop(f"{name}: {exc}; nothing was signed") from exc
    for manifest in found:
        folder = models / manifest.category / manifest.bank_version
        signer = signing.sign(folder, private)
        console.print(f"{manifest.category}: {manifest.bank_version} signed with {signer}")


def _verify(models: Path, names: list[str] | None, version: str, trusted: TrustedKeys) -> None:
    from ..core.store import artifact as artifacts
    from ..core.store import signing
    from ..core.store.whereabouts import stored, stored_category, why_no_bank

    table = Table(title="signatures")
    for column in ("category", "bank version", "signed with", ""):
        table.add_column(column)
    names = names or stored(models)
    if not names:
        raise stop(why_no_bank(models) or f"no banks are stored in {models}")
    failed = []
    for asked in names:
        name, row = asked, [asked, "" if version == CURRENT else version, ""]
        try:
            name = row[0] = stored_category(models, name)
            row[1] = _load(models, name, version).bank_version
            folder = models / name / row[1]
            row[2] = signing.check(folder, (folder / artifacts.MANIFEST).read_bytes(), trusted)
            table.add_row(*row, "ok")
        except GoodsGuardError as exc:
            table.add_row(*row, escape(str(exc)))
            failed.append(name)
    show(table)
    if failed:
        complain(f"not trusted: {', '.join(failed)}")
        raise typer.Exit(1)


def _load(models: Path, name: str, version: str) -> Manifest:
    """Read the whole bank: what is damaged is neither signed nor called good."""
    from ..core.store import artifact as artifacts

    return artifacts.load(models, name, None if version == CURRENT else version).manifest


def _passphrase() -> bytes | None:
    return os.environ.get(VARIABLE, "").encode() or None
