"""Categories, and the changes that only an administrator may make there."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.core.store import artifact as artifacts
from app.core.store import signing
from app.core.store.manifest import Manifest
from app.web.rendering import number, percent
from tests.integration.service import DEFECTIVE, GOOD, Service, serve, store_banks
from tests.support import make_artifact

pytestmark = pytest.mark.anyio

ORIGIN = {"origin": "http://localhost"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serve(tmp_path, records="on") as running:
        yield running


async def page(service: Service, address: str) -> str:
    answer = await service.client.get(f"/page/{address}")
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(service: Service, to: str, /, **fields: str) -> httpx.Response:
    token = (await page(service, "categories")).partition('name="csrf-token" content="')[2][:64]
    headers = ORIGIN | {"content-type": "application/x-www-form-urlencoded"}
    address = f"/page/{to}?csrf={token}"
    return await service.client.post(address, content=urlencode(fields), headers=headers)


def tables(text: str) -> dict[str, Any]:
    attribute = text.partition("data-tables='")[2].partition("'")[0]
    found: dict[str, Any] = json.loads(unescape(attribute))
    return found


def serving(service: Service, name: str = "can") -> Manifest:
    manifest: Manifest = service.app.state.services.registry.detector(name).manifest
    return manifest


async def test_each_has_a_card_with_its_state(service: Service) -> None:
    text = await page(service, "categories")
    assert serving(service).bank_version in text
    assert "bank.safetensors does not match" in text
    assert text.count("not evaluated yet") == 2


async def test_no_such_category(service: Service) -> None:
    answer = await service.client.get("/page/category?name=nothing")
    assert answer.status_code == 404
    assert "There is no category" in answer.text


async def test_one_that_is_unavailable_says_why(service: Service) -> None:
    text = await page(service, "category?name=torn")
    assert "No photo of it can be judged" in text
    assert 'id="trial"' not in text


async def test_only_scores_of_this_build_count(service: Service) -> None:
    for photo in (GOOD, DEFECTIVE):
        await service.score(photo)
    assert service.app.state.services.records.flush(30)
    assert tables(await page(service, "category?name=can"))["number"]["week"] == 2
    # Another threshold on the same bank: they still do. Another bank: they do not.
    answer = await post(service, "threshold", **setting(service, "0.3"))
    assert answer.status_code == 303, answer.text
    assert tables(await page(service, "category?name=can"))["number"]["week"] == 2
    artifacts.save(service.models, rebuilt("can"))
    await service.client.post("/admin/reload")
    assert tables(await page(service, "category?name=can"))["number"]["week"] == 0


def rebuilt(name: str) -> artifacts.Artifact:
    return make_artifact(name, scores=(0.01, 0.02, 0.03, 0.05))


def setting(service: Service, value: str, **changes: str) -> dict[str, str]:
    version = serving(service).bank_version
    return {"name": "can", "version": version, "value": value} | changes


async def test_a_threshold_becomes_a_new_version_that_serves(service: Service) -> None:
    before = serving(service)
    asked = await page(service, f"threshold?{urlencode(setting(service, '0,25'))}")
    assert "→ <strong>0.25</strong>" in asked
    assert serving(service) == before
    answer = await post(service, "threshold", **setting(service, "0.25"))
    assert answer.headers["location"] == "category?name=can&done=threshold"
    after = serving(service)
    assert after.threshold.value == 0.25
    assert after.threshold.rule.rule == "fixed"
    assert after.bank_sha256 == before.bank_sha256
    assert artifacts.current_version(service.models / "can") == after.bank_version
    assert (await service.score(GOOD)).json()["threshold"] == 0.25
    # From the page before: nothing is written.
    versions = artifacts.versions(service.models / "can")
    late = setting(service, "0.5", version=before.bank_version)
    stale = await post(service, "threshold", **late)
    assert stale.status_code == 409
    assert "load the page again" in stale.text
    assert artifacts.versions(service.models / "can") == versions
    # And back, once it is confirmed: by an address that may be loaded again.
    assert service.app.state.services.records.flush(30)
    back = {"name": "can", "to": before.bank_version}
    asked = await page(service, f"rollback?{urlencode(back)}")
    assert f"{after.bank_version} → <strong>{before.bank_version}</strong>" in asked
    assert f"0.25 → <strong>{number(before.threshold.value)}</strong>" in asked
    assert f"→ <strong>{percent(before.threshold.alpha)}</strong>" in asked
    assert "Photos of the last week flagged, of 1" in asked
    assert serving(service) == after
    assert (await post(service, "rollback", **back)).status_code == 303
    assert serving(service) == before
    assert "This serves already" in await page(service, f"rollback?{urlencode(back)}")


async def test_of_a_threshold_that_is_typed_it_is_told_what_it_does(service: Service) -> None:
    for photo in (GOOD, DEFECTIVE):
        await service.score(photo)
    assert service.app.state.services.records.flush(30)
    for value, flagged in (("0", 1), ("1e6", 0)):  # beyond any plot, too
        answer = await service.client.get(f"/page/category/effect?name=can&value={value}")
        assert answer.json()["above"]["week"] == flagged
    answer = await service.client.get("/page/category/effect?name=can&value=-5")
    assert answer.status_code == 422
    text = await page(service, "category?name=can")
    assert "Photos of the last week, which came on one day: " in text
    assert 'data-slot="day"' not in text  # minutes are not made a day's alarms


async def test_a_torn_bank_offers_what_can_work(service: Service) -> None:
    text = await page(service, "category?name=torn")
    assert "<h2>Bank</h2>" not in text
    assert "Go back<" not in text
    assert "There is no other version to go back to" in text
    assert "cannot serve" in text
    assert "named by current" not in text
    # Mended, it is loaded again.
    shutil.rmtree(service.models / "torn")
    artifacts.save(service.models, make_artifact("torn"))
    answer = await post(service, "reload", name="torn")
    assert answer.headers["location"] == "category?name=torn&done=reload"
    assert serving(service, "torn").bank_version in await page(
        service, "category?name=torn&done=reload"
    )
    assert (await post(service, "reload")).headers["location"] == "health?done=reload"


async def test_a_new_version_that_is_torn_is_not_offered(service: Service) -> None:
    older = serving(service).bank_version
    artifacts.save(service.models, rebuilt("can"))
    newer = artifacts.current_version(service.models / "can")
    (service.models / "can" / newer / artifacts.BANK).write_bytes(b"torn")
    await service.client.post("/admin/reload")
    text = await page(service, "category?name=can")
    assert "Load the banks again" in text
    assert f'value="{newer}">Go back' not in text
    assert serving(service).bank_version == older


async def test_a_refusal_leads_back_and_speaks_of_no_program(service: Service) -> None:
    came = {"referer": "http://localhost/page/category?name=can"}
    answer = await service.client.get("/page/category?name=nothing", headers=came)
    assert 'href="category?name=can"' in answer.text
    assert "GET /categories" not in answer.text
    foreign = {"referer": "http://elsewhere.example/page/category?name=can"}
    answer = await service.client.get("/page/category?name=nothing", headers=foreign)
    assert 'href="category?name=can"' not in answer.text
    answer = await service.client.get("/page/category")
    assert answer.status_code == 422
    assert "“name” in the address is missing." in answer.text


@pytest.mark.parametrize("value", ["", "-1", "nan", "inf", "much", "1e999"])
async def test_a_value_that_is_no_threshold_changes_nothing(service: Service, value: str) -> None:
    before = artifacts.versions(service.models / "can")
    answer = await post(service, "threshold", **setting(service, value))
    assert answer.status_code == 422
    assert "a number from 0 on" in answer.text
    assert artifacts.versions(service.models / "can") == before


async def test_a_models_folder_that_cannot_be_written_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = serving(service)

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(artifacts, "write_whole", refused)
    answer = await post(service, "threshold", **setting(service, "0.25"))
    assert answer.status_code == 409
    assert "annot write" in answer.text
    assert serving(service) == before


async def test_where_only_signed_banks_serve_it_refuses_before_writing(tmp_path: Path) -> None:
    store_banks(tmp_path / "models")
    folder = tmp_path / "models" / "can"
    key = Ed25519PrivateKey.generate()
    signing.sign(folder / artifacts.current_version(folder), key)
    keys = tmp_path / "keys.pem"
    public = key.public_key()
    keys.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    async with serve(tmp_path, records="off", trusted_keys=keys) as service:
        before = artifacts.versions(folder)
        answer = await post(service, "threshold", **setting(service, "0.25"))
        assert answer.status_code == 409
        assert "goodsguard sign" in answer.text
        assert artifacts.versions(folder) == before


async def test_changes_take_the_scope_admin_and_the_token(tmp_path: Path) -> None:
    keys = {scope: f"{scope}-key-of-the-tests-0123456789" for scope in ("review", "admin")}
    listed = ",".join(
        f"{scope}:{scope}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        for scope, key in keys.items()
    )
    async with serve(tmp_path, records="on", api_keys=(*listed.split(","),)) as service:
        answer = await service.client.post(
            "/page/login", data={"key": keys["review"]}, headers=ORIGIN
        )
        assert answer.status_code == 303
        text = await page(service, "category?name=can")
        assert "takes a key with the scope" in text
        assert "Go back<" not in text
        assert "Delete verdicts" not in await page(service, "history")
        for name, fields in (
            ("threshold", setting(service, "0.25")),
            ("rollback", {"name": "can", "to": "x"}),
            ("evaluation", {"name": "can"}),
        ):
            refused = await post(service, name, **fields)
            assert refused.status_code == 403, name
            assert "lacks the scope" in unescape(refused.text)
        answer = await service.client.get(
            "/page/delete?since=2026-01-01T00:00Z&until=2026-01-02T00:00Z"
        )
        assert answer.status_code == 403
        # An administrator's session, but another site's form.
        await service.client.post("/page/login", data={"key": keys["admin"]}, headers=ORIGIN)
        sent = urlencode(setting(service, "0.25"))
        kind = {"content-type": "application/x-www-form-urlencoded"}
        for headers in (kind, kind | {"origin": "http://elsewhere.example"}, kind | ORIGIN):
            answer = await service.client.post("/page/threshold", content=sent, headers=headers)
            assert answer.status_code == 403
        assert serving(service).threshold.value != 0.25


async def test_an_evaluation_is_shown_with_its_pictures(service: Service) -> None:
    assert (await post(service, "evaluation", name="can")).status_code == 303
    assert (await service.client.post("/evaluate/can?wait=true")).status_code == 200
    text = await page(service, "category?name=can")
    assert "95&nbsp;% interval" in text
    assert "<polyline" in text
    part = await service.client.get(
        "/page/category/evaluation?name=can", headers={"hx-request": "true"}
    )
    assert "<html" not in part.text
    assert "95&nbsp;% interval" in part.text
    # Under another threshold the AUROC still holds, and whose it is is said.
    measured = serving(service).bank_version
    await post(service, "threshold", **setting(service, "0.3"))
    text = await page(service, "category?name=can")
    assert f"Measured with version {measured}" in text
    assert "95&nbsp;% interval" in await page(service, "categories")


async def test_no_test_photos_is_said(service: Service) -> None:
    answer = await post(service, "evaluation", name="box")
    assert answer.status_code == 409
    assert "No test split stored" in answer.text
