"""The package where it is used: a wheel beside somebody's own `app`, a checkout, a link to one.

Each in an environment of its own, with the dependencies of this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import __version__
from app.core.building.preset import preset_names
from tests.e2e.process import running
from tests.e2e.test_draining import ENDED_WELL
from tests.support import ROOT

pytest.importorskip("hatchling")
pytest.importorskip("pip")

pytestmark = pytest.mark.slow

FOREIGN = 'WHOSE = "somebody else\'s"\n'

EVERY_MODULE = """
import importlib, pkgutil, sys
import goodsguard
for module in pkgutil.walk_packages(goodsguard.__path__, "goodsguard."):
    importlib.import_module(module.name)
sys.exit("app was imported" if "app" in sys.modules else 0)
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder beside it that holds an `app` of somebody else's."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "venv/bin/python"

    @property
    def command(self) -> Path:
        return self.root / "venv/bin/goodsguard"

    @property
    def packages(self) -> Path:
        (found,) = self.root.glob("venv/lib/python3*/site-packages")
        return found

    def run(
        self, *command: str | Path, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            cwd=folder or self.root,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def install(self, *what: str | Path) -> None:
        """With this environment's pip, and without a network."""
        options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
        pip = (sys.executable, "-m", "pip", "--python", self.python, "install")
        done = self.run(*pip, *options, *what)
        assert done.returncode == 0, done.stderr


def new_environment(root: Path) -> Environment:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True, timeout=120
    )
    made = Environment(root)
    # Folders that a .pth file names are searched, but .pth files in them are not read: what this
    # environment links to, such as the checkout, is not there.
    folders = [path for path in sys.path if path.endswith("site-packages")]
    (made.packages / "dependencies.pth").write_text("\n".join(folders) + "\n")
    (root / "app").mkdir()
    (root / "app/__init__.py").write_text(FOREIGN)
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel beside an `app` in site-packages and another in the working folder."""
    made = new_environment(tmp_path_factory.mktemp("installed"))
    made.install(wheel)
    (made.packages / "app").mkdir()
    (made.packages / "app/__init__.py").write_text(FOREIGN)
    return made


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The dependencies alone."""
    return new_environment(tmp_path_factory.mktemp("bare"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    files = [path for path in (ROOT / "app").rglob("*") if path.is_file()]
    ours = {
        f"goodsguard/{path.relative_to(ROOT / 'app')}"
        for path in files
        if path.suffix != ".pyc" and not path.name.startswith(".")
    }
    told = f"goodsguard-{__version__}.dist-info"
    about = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert held == ours | {f"{told}/{name}" for name in about}
    assert "goodsguard/py.typed" in held
    assert {f"goodsguard/core/building/presets/{name}.toml" for name in preset_names()} <= held


def test_beside_a_foreign_app_each_keeps_its_own(installed: Environment) -> None:
    done = installed.run(installed.python, "-c", EVERY_MODULE)
    assert done.returncode == 0, done.stderr
    told = installed.run(
        *(installed.python, "-c"),
        "import app, goodsguard; print(app.WHOSE, goodsguard.__version__, goodsguard.__file__)",
    )
    assert told.stdout.startswith(f"somebody else's {__version__} {installed.packages}")


def test_an_installed_command_lists_presets_and_sub_commands(installed: Environment) -> None:
    listed = installed.run(installed.command, "--help")
    assert listed.returncode == 0, listed.stderr
    assert "Usage: goodsguard" in listed.stdout
    refused = installed.run(installed.command, "build", "--data", ".", "--preset", "absent")
    assert refused.returncode == 1
    assert all(name in " ".join(refused.stderr.split()) for name in preset_names())


def test_an_installed_service_answers_and_stops_in_order(
    installed: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with running(
        tmp_path / "log",
        command=(installed.command, "serve"),
        folder=installed.root,
        models_dir=tmp_path,
        drain_s="0",
    ) as server:
        assert server.client.get("/openapi.json").json()["info"]["version"] == __version__
        assert server.stop() in ENDED_WELL
    assert "Application shutdown complete" in server.log.read_text()


def test_in_a_checkout_nothing_needs_to_be_installed(
    bare: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bare.run(bare.python, "-c", "import goodsguard").returncode == 1
    script = bare.run(bare.python, ROOT / "scripts/make_key.py", "--name", "till-1")
    assert script.returncode == 0, script.stderr
    assert script.stdout.startswith("goodsguard_")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = (bare.python, "-m", "uvicorn", "app.main:app")
    with running(tmp_path / "log", command=command, models_dir=tmp_path, drain_s="0") as server:
        assert server.client.get("/livez").status_code == 200


def test_a_link_to_the_checkout_gives_the_packages_name_only(bare: Environment) -> None:
    """`pip install -e .`; last, since it changes the bare environment."""
    bare.install("-e", ROOT)
    code = "import goodsguard, sys; print(goodsguard.__version__); import app; print(app.WHOSE)"
    done = bare.run(bare.python, "-c", code)
    assert done.stdout.splitlines() == [__version__, "somebody else's"]
    assert bare.run(bare.command, "--version").stdout.strip() == __version__
