"""/docs: what it loads is this service's own, and its policy lets through nothing else."""

from __future__ import annotations

import gzip
import hashlib
import re

import pytest

from app.web.static_files import static_files
from tests.integration.service import Service, assert_problem, serve
from tests.support import ROOT

pytestmark = pytest.mark.anyio

VENDORED = ROOT / "app/web/static/swagger-ui"
FILES = ["swagger-ui/swagger-ui-bundle.js", "swagger-ui/swagger-ui.css", "documentation.js"]


async def loaded_by_the_page(service: Service) -> list[str]:
    page = (await service.client.get("/docs")).text
    return re.findall(r'(?:src|href)="([^"]+)"', page)


async def test_the_page_loads_files_of_this_service_alone(service: Service) -> None:
    urls = await loaded_by_the_page(service)
    assert len(urls) >= 5
    for url in urls:
        assert not url.startswith(("http", "/"))  # relative: below a proxy's prefix, too
        assert (await service.client.get(f"/{url}")).status_code == 200


async def test_its_policy_names_no_other_host_and_no_inline_script(service: Service) -> None:
    answer = await service.client.get("/docs")
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "http" not in answer.headers["content-security-policy"]
    assert all(re.findall(r"<script[^>]*>", answer.text))
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", FILES)
async def test_browsers_keep_its_files(service: Service, name: str) -> None:
    answer = await service.client.get(f"/static/{name}")
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert answer.headers["content-type"].startswith(("text/css", "text/javascript"))
    again = await service.client.get(
        f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    changed = await service.client.get(f"/static/{name}", headers={"If-None-Match": '"other"'})
    assert changed.status_code == 200


@pytest.mark.parametrize(("accepts", "encoding"), [("gzip, br", "gzip"), ("identity", None)])
async def test_a_file_that_is_kept_gzipped_is_readable_for_all(
    service: Service, accepts: str, encoding: str | None
) -> None:
    answer = await service.client.get(
        "/static/swagger-ui/swagger-ui-bundle.js", headers={"Accept-Encoding": accepts}
    )
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "SwaggerUIBundle" in answer.text


@pytest.mark.parametrize(
    "path",
    ["", "no.js", "../static_files.py", "%2e%2e/__init__.py", "swagger-ui", "swagger-ui/README.md"],
)
async def test_nothing_else_can_be_had(service: Service, path: str) -> None:
    assert_problem(await service.client.get(f"/static/{path}"), 404, "not-found")


def test_swagger_ui_is_as_its_authors_ship_it() -> None:
    listed = re.findall(
        r"\| `([\w.-]+)` \| ([0-9a-f]{64}) \|", (VENDORED / "README.md").read_text()
    )
    assert len(listed) == 3
    for name, sha256 in listed:
        body = static_files()[f"swagger-ui/{name}"].body
        body = gzip.decompress(body) if name.endswith("bundle.js") else body
        assert hashlib.sha256(body).hexdigest() == sha256
    assert "Apache License" in (VENDORED / "LICENSE").read_text()
    assert "SmartBear" in (VENDORED / "NOTICE").read_text()


@pytest.mark.parametrize("folder", ["htmx", "uplot"])
def test_so_is_what_the_pages_use(folder: str) -> None:
    readme = (VENDORED.parent / folder / "README.md").read_text()
    listed = re.findall(r"\| `([\w.-]+)` \| ([0-9a-f]{64}) \|", readme)
    assert listed
    for name, sha256 in listed:
        file = static_files()[f"{folder}/{name}"]
        body = gzip.decompress(file.body) if file.gzipped else file.body
        assert hashlib.sha256(body).hexdigest() == sha256
    assert len((VENDORED.parent / folder / "LICENSE").read_text()) > 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", *(f"/static/{name}" for name in FILES)])
async def test_it_can_be_switched_off(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    async with serve(tmp_path_factory.mktemp("plain"), docs=False, page=False) as service:
        assert_problem(await service.client.get(path), 404, "not-found")


async def test_there_is_one_documentation_page(service: Service) -> None:
    assert_problem(await service.client.get("/redoc"), 404, "not-found")
