"""Every byte of a stored bank damaged in turn: refused, or proven to change nothing.

refused     a GoodsGuardError, as `load`, the detector and its self-test raise them
harmless    loads to an equal bank, and a photo gets the equal score and threshold
unnoticed   loads to another bank. `judging` where a field that decides scores or verdicts
            changed, `telling` where only what is told of the bank did (a date, a library)
crashed     any other exception
"""

from __future__ import annotations

import hashlib
import random
import resource
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from matplotlib.figure import Figure

from app.core.detector import Detector
from app.core.errors import GoodsGuardError
from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.artifact import Artifact
from app.core.store.manifest import Manifest
from app.core.store.signing_keys import TrustedKeys, generate_key, key_id
from app.service.networks import SharedNetworks, extractor_loader
from app.service.registry import BankSource
from tests.torture import banks
from tests.torture.service import REPORT, Report, ReportOption, serving

CATEGORY = "can"
ALL_PATTERNS = (1, 2, 4, 8, 16, 32, 64, 128, 0xFF, 0x55, 0xAA)
# What a manifest says of a bank that decides no score and no verdict.
TELLING = {"created_at", "preset", "counts", "libraries", "wall_time_s"}
TELLING |= {"training_files_sha256", "origins"}
# No damage may cost more than loading the bank with a second network and testing it.
_MOST_S, _MOST_MIB = 30.0, 768.0

# Another spec needs another network, which takes a second: so many per field are enough.
_NETWORKS = 20

Outcome = Literal[
    "skipped", "refused", "harmless", "unnoticed, judging", "unnoticed, telling", "crashed"
]


@dataclass
class Tally:
    """What became of the damage to one file."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    examples: dict[Outcome, list[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0

    def add(self, outcome: Outcome, what: str) -> None:
        self.outcomes[outcome] += 1
        shown = self.examples.setdefault(outcome, [])
        if len(shown) < 12:
            shown.append(what)


class Bench:
    """One stored bank, damaged and looked at again and again."""

    def __init__(self, models: Path, bank: Artifact, trusted: TrustedKeys | None = None) -> None:
        self._models = models
        networks = SharedNetworks(extractor_loader(torch.device("cpu"), None))
        self._source = BankSource(models, networks, trusted=trusted)
        self.version = bank.manifest.bank_version
        self.folder = models / bank.manifest.category / self.version
        self._category = bank.manifest.category
        self._photo = banks.photo(1001)
        self._networks: Counter[str] = Counter()
        self._whole = artifacts.load(models, self._category)
        self._detector = self._source.detector(self._category)
        self._score = self._judge(self._detector)

    def files(self) -> list[Path]:
        """All files of the category but the lock, which is empty."""
        found = [p for p in self.folder.iterdir() if p.is_file()]
        return [*sorted(found), self.folder.parent / artifacts.CURRENT]

    def try_out(
        self, file: Path, damaged: bytes, what: str, tally: Tally, *, parse_only: bool = False
    ) -> Outcome:
        """Put damaged bytes in a file's place, see what loading makes of them, mend it."""
        before = file.read_bytes()
        file.write_bytes(damaged)
        begun = time.perf_counter()
        try:
            outcome, reason = self._outcome(parse_only=parse_only)
        finally:
            file.write_bytes(before)
            self._source.keep_networks([self._detector])
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - begun)
        tally.reasons[reason] += 1
        tally.add(outcome, f"{what}: {reason}" if outcome != "refused" else what)
        return outcome

    def _outcome(self, *, parse_only: bool) -> tuple[Outcome, str]:
        try:
            loaded = artifacts.load(self._models, self._category, trusted=self._source.trusted)
            if parse_only:
                return "harmless", "parses"
            if changed := _differences(loaded, self._whole):
                if all(name.split(".")[0] in TELLING for name in changed):
                    return "unnoticed, telling", ", ".join(changed)
                names = ", ".join(changed)
                self._networks[names] += 1
                if names.startswith("features.") and self._networks[names] > _NETWORKS:
                    return "skipped", names
                self._source.detector(self._category)  # the self-test may know better
                return "unnoticed, judging", names
            same = self._score == self._judge(Detector(loaded, self._detector.extractor))
            return ("harmless", "equal") if same else ("unnoticed, judging", "another score")
        except GoodsGuardError as exc:
            return "refused", type(exc).__name__
        except Exception as exc:
            return "crashed", f"{type(exc).__name__}: {exc}"[:200]

    def _judge(self, detector: Detector) -> tuple[float, float, float]:
        found = detector.inspect(self._photo)
        return found.score, found.threshold, found.p_value


def _differences(one: Artifact, other: Artifact) -> list[str]:
    """Names of what differs: the manifest's fields, and tensors."""
    changed = _paths(one.manifest.model_dump(), other.manifest.model_dump())
    mine, yours = _numbers(one), _numbers(other)
    lacking = mine.keys() ^ yours.keys()
    differing = [n for n in mine.keys() & yours.keys() if not np.array_equal(mine[n], yours[n])]
    return [*changed, *sorted(lacking), *sorted(differing)]


def _numbers(artifact: Artifact) -> dict[str, Any]:
    """All tensors by the names under which they are stored."""
    found: dict[str, Any] = {}
    for name, value in vars(artifact.tensors()).items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": tensor for inner, tensor in value.items()}
        else:
            found[name] = value
    return found


def _paths(one: Any, other: Any, path: str = "") -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys([*one, *other])
        found = [_paths(one.get(n), other.get(n), f"{path}.{n}".strip(".")) for n in names]
        return [name for names in found for name in names]
    return [] if one == other else [path]


def flipped(data: bytes, at: int, pattern: int) -> bytes:
    """One byte of it turned."""
    return data[:at] + bytes([data[at] ^ pattern]) + data[at + 1 :]


def places(file: Path, sample: int, chance: random.Random) -> list[int]:
    """Which bytes to flip: all, but of a bank its header and `sample` of its body."""
    size = file.stat().st_size
    if file.name != artifacts.BANK:
        return list(range(size))
    with file.open("rb") as opened:
        header = 8 + int.from_bytes(opened.read(8), "little")
    body = chance.sample(range(header, size), min(sample, size - header))
    return [*range(header), *sorted(body)]


def cuts_and_additions(data: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Truncations, and bytes too many."""
    size = len(data)
    for keep in sorted({0, 1, 7, 8, 9, size // 2, size - 2, size - 1, *_some(chance, size)}):
        if 0 <= keep < size:
            yield f"cut to {keep} bytes", data[:keep]
    for tail in (b"\0", b"\n", b" ", b"{}", b"\xff" * 100, chance.randbytes(1000)):
        yield f"{len(tail)} bytes more", data + tail
        yield f"{len(tail)} bytes before", tail + data
    yield "twice", data + data
    yield "zeros", bytes(size)


def _some(chance: random.Random, size: int) -> list[int]:
    return [chance.randrange(size) for _ in range(20)]


def damage_all(
    bench: Bench, sample: int, patterns: tuple[int, ...], chance: random.Random, *, every: int = 1
) -> dict[str, Tally]:
    """All damage to all files; `every`: of the bytes, take one in so many."""
    tallies = {}
    for file in bench.files():
        tally, data = Tally(), file.read_bytes()
        tallies[file.name] = tally
        for at in places(file, sample, chance)[::every]:
            for pattern in patterns:
                what = f"byte {at} ^ {pattern:#04x}"
                bench.try_out(file, flipped(data, at, pattern), what, tally)
        for what, damaged in cuts_and_additions(data, chance):
            bench.try_out(file, damaged, what, tally)
    return tallies


def damage_behind_the_hash(bench: Bench, patterns: tuple[int, ...], every: int) -> Tally:
    """The bank's header damaged and its hash made to fit, as no accident does: what counts then is
    that the parser ends well, whatever it makes of it."""
    tally, file = Tally(), bench.folder / artifacts.MANIFEST
    bank, said = bench.folder / artifacts.BANK, file.read_bytes()
    whole, manifest = bank.read_bytes(), Manifest.model_validate_json(said)
    header = 8 + int.from_bytes(whole[:8], "little")
    for at in range(0, header, every):
        for pattern in patterns:
            damaged = flipped(whole, at, pattern)
            fitting = {"bank_sha256": hashlib.sha256(damaged).hexdigest()}
            file.write_bytes(manifest.model_copy(update=fitting).render())
            bench.try_out(bank, damaged, f"byte {at} ^ {pattern:#04x}", tally, parse_only=True)
    file.write_bytes(said)
    return tally


def served(folder: Path, bank: Artifact, count: int, chance: random.Random) -> list[str]:
    """What is wrong with a service that starts on damaged banks beside a good one."""
    models = folder / "served"
    banks.store_bank(models, bank)
    files = (artifacts.MANIFEST, artifacts.BANK, artifacts.CURRENT)
    expected: dict[str, bool] = {CATEGORY: True}
    for number in range(count):
        name = f"damaged-{number:03}"
        manifest = bank.manifest.model_copy(update={"category": name})
        copied = Artifact(manifest, bank.method, bank.calibration, bank.peaks, bank.golden)
        banks.store_bank(models, copied)
        bench = Bench(models, copied)
        file = bench.files()[number % len(files)]
        at, pattern = chance.randrange(file.stat().st_size), chance.choice(ALL_PATTERNS)
        damaged = flipped(file.read_bytes(), at, pattern)
        expected[name] = bench.try_out(file, damaged, "", Tally()) != "refused"
        file.write_bytes(damaged)
    with serving(folder, models) as server:
        photo = banks.photo(1001)
        wrong = [] if server.score(photo, CATEGORY)["score"] > 0 else ["the good bank has no score"]
        for name, ready in expected.items():
            answer = server.client.post(f"/score/{name}", files={"file": photo})
            if answer.status_code != (200 if ready else 503):
                wrong.append(f"{name}: {answer.status_code} {answer.text}, loads: {ready}")
    shutil.rmtree(models)
    return wrong


def run(
    folder: Path,
    *,
    sample: int,
    patterns: tuple[int, ...],
    every: int,
    services: int,
    seed: int = 0,
) -> Report:
    """Damage a bank as it is and a signed one; then let the service meet a few."""
    report, chance = Report("flips", "Banks with damaged bytes"), random.Random(seed)
    bank = banks.make_bank(folder / "data", CATEGORY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("unsigned", "signed"):
        models = folder / name
        version = banks.store_bank(models, bank)
        trusted = None
        if name == "signed":
            private = generate_key()
            trusted = TrustedKeys({key_id(private.public_key()): private.public_key()})
            signing.sign(models / CATEGORY / version, private)
        tallies = damage_all(Bench(models, bank, trusted), sample, patterns, chance, every=every)
        if not trusted:
            tallies["bank.safetensors, rehashed"] = damage_behind_the_hash(
                Bench(models, bank), patterns, every
            )
        _describe(report, name, tallies)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    report.figures["memory_grown_mib"] = round(grown, 1)
    report.row("the highest memory rose by", f"{grown:.0f} MiB over all of them")
    report.check(grown <= _MOST_MIB, f"memory rose by {grown:.0f} MiB")
    if services:
        wrong = served(folder, bank, services, chance)
        report.failures += [f"the service: {w}" for w in wrong]
        report.row("a service that starts on", f"{services} damaged banks agrees on each")
    return report


def _describe(report: Report, name: str, tallies: dict[str, Tally]) -> None:
    if not report.lines:
        report.lines += ["| bank | file | damaged | refused | harmless | unnoticed | crashed |"]
        report.lines += ["|---|---|---|---|---|---|---|"]
    for file, tally in tallies.items():
        count = tally.outcomes
        judging, telling = count["unnoticed, judging"], count["unnoticed, telling"]
        tried = count.total() - count["skipped"]
        report.lines.append(
            f"| {name} | {file} | {tried} | {count['refused']} | {count['harmless']} "
            f"| {judging} judging, {telling} telling | {count['crashed']} |"
        )
        report.figures[f"{name} {file}"] = {
            "outcomes": dict(count),
            "reasons": dict(tally.reasons.most_common(40)),
            "examples": {k: v for k, v in tally.examples.items() if k != "refused"},
            "slowest_s": round(tally.slowest_s, 3),
        }
        report.check(not count["crashed"], f"{name} {file}: {tally.examples.get('crashed')}")
        report.check(tally.slowest_s < _MOST_S, f"{name} {file}: took {tally.slowest_s:.1f} s")
        if "rehashed" not in file:
            wrong = tally.examples.get("unnoticed, judging", [])
            report.check(not judging, f"{name} {file}: {judging} unnoticed, as {wrong[:4]}")


def _tried(outcomes: dict[str, int]) -> int:
    return sum(outcomes.values()) - outcomes.get("skipped", 0)


def draw(figures: dict[str, Any]) -> Figure:
    """Shares of the outcomes per file."""
    colours = {
        "refused": "tab:green",
        "harmless": "tab:blue",
        "unnoticed, telling": "tab:orange",
        "unnoticed, judging": "tab:red",
        "crashed": "black",
    }
    found = {name: f["outcomes"] for name, f in figures.items() if isinstance(f, dict)}
    figure = Figure(figsize=(8, 0.45 * len(found) + 1.2))
    axes, left = figure.subplots(), np.zeros(len(found))
    for outcome, colour in colours.items():
        share = np.array([100 * o.get(outcome, 0) / _tried(o) for o in found.values()])
        axes.barh(list(found), share, left=left, color=colour, label=outcome)
        left += share
    axes.invert_yaxis()
    axes.set(xlabel="% of the damages", xlim=(0, 100))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def main(
    count: Annotated[int, typer.Option(help="Bytes of the bank's body to flip.")] = 2000,
    every: Annotated[int, typer.Option(min=1, help="Take one byte in so many.")] = 1,
    services: Annotated[int, typer.Option(help="Damaged banks for the real service.")] = 60,
    seed: int = 0,
    report: ReportOption = REPORT,
) -> None:
    """Damage every byte, cut and lengthen every file, and count what was noticed."""
    with TemporaryDirectory() as folder:
        found = run(
            Path(folder),
            sample=count,
            patterns=ALL_PATTERNS,
            every=every,
            services=services,
            seed=seed,
        )
    found.picture(report, draw(found.figures))
    found.conclude(report)


if __name__ == "__main__":
    typer.run(main)
