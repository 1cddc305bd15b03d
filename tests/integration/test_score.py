from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.service import CURSED, DEFECTIVE, GOOD, Service, assert_problem, serve
from tests.support import GREYS, THRESHOLD, encode, plain, png, textured

pytestmark = pytest.mark.anyio

FIELDS = {
    "category", "verdict", "is_anomalous", "score", "threshold", "p_value", "alpha",
    "bank_version", "preset", "image", "timings_ms", "heatmap_png", "request_id",
}  # fmt: skip


async def test_an_answer_has_the_fields_promised(service: Service) -> None:
    answer = (await service.score(GOOD)).json()
    assert set(answer) >= FIELDS
    assert set(answer["image"]) == {"width", "height", "format"}
    assert set(answer["timings_ms"]) >= {"decode", "wait", "embed", "search", "total"}


async def test_a_good_photo_is_normal(service: Service) -> None:
    answer = (await service.score(GOOD)).json()
    assert (answer["category"], answer["verdict"], answer["is_anomalous"]) == (
        "can",
        "normal",
        False,
    )
    assert answer["score"] == pytest.approx(0, abs=1e-5)
    assert answer["threshold"] == THRESHOLD


async def test_a_defective_photo_is_anomalous(service: Service) -> None:
    answer = (await service.score(DEFECTIVE)).json()
    expected = min(math.dist((255, 0, 0), (g, g, g)) / 255 for g in GREYS)
    assert (answer["verdict"], answer["is_anomalous"]) == ("anomalous", True)
    assert answer["score"] == pytest.approx(expected, abs=1e-5)
    assert answer["p_value"] == pytest.approx(1 / 5)


async def test_the_answer_names_the_bank(service: Service) -> None:
    answer = (await service.score(GOOD)).json()
    version = (service.models / "can" / "current").read_text().strip()
    assert (answer["bank_version"], answer["preset"], answer["alpha"]) == (version, "colour", 0.01)


async def test_the_stages_add_up_to_no_more_than_the_total(service: Service) -> None:
    timings = (await service.score(GOOD)).json()["timings_ms"]
    stages = sum(timings[stage] for stage in ("decode", "wait", "embed", "search"))
    assert 0 < stages <= timings["total"] + 0.1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "image/anything", "IMAGE/PNG"])
async def test_the_photo_itself_may_be_the_body(
    service: Service, kind: str, content_type: str
) -> None:
    answer = await service.client.post(
        "/score/can",
        content=encode(plain(120, (33, 21)), kind),
        headers={"content-type": content_type},
    )
    assert answer.status_code == 200
    assert answer.json()["image"] == {"width": 33, "height": 21, "format": kind}


async def test_body_and_multipart_give_the_same_score(service: Service) -> None:
    photo = encode(textured(50, 40))
    raw = await service.client.post(
        "/score/can", content=photo, headers={"content-type": "image/png"}
    )
    assert raw.json()["score"] == (await service.score(photo)).json()["score"]


async def test_the_files_name_and_type_decide_nothing(service: Service) -> None:
    files = {"file": ("../../etc/passwd.txt", GOOD, "text/plain")}
    assert (await service.client.post("/score/can", files=files)).status_code == 200


async def test_a_method_without_patches_has_no_heatmap(service: Service) -> None:
    answer = (await service.score(GOOD, heatmap="true")).json()
    assert answer["heatmap_png"] is None


async def test_an_unknown_category_is_404(service: Service) -> None:
    body = assert_problem(await service.score(GOOD, "bottle"), 404, "unknown-category")
    assert "bottle" in body["detail"]


async def test_a_damaged_category_is_503_with_the_reason(service: Service) -> None:
    body = assert_problem(await service.score(GOOD, "torn"), 503, "category-unavailable")
    assert "sha256" in body["detail"]


async def test_a_damaged_category_does_not_touch_the_others(service: Service) -> None:
    assert (await service.score(GOOD, "box")).status_code == 200


@pytest.mark.parametrize(
    ("photo", "slug"),
    [
        (b"", "not-an-image"),
        (b"no image", "not-an-image"),
        (encode(plain(9), "GIF"), "unsupported-image"),
        (encode(textured(64, 64), "JPEG")[:-200], "corrupt-image"),
        (encode(plain(9).convert("F"), "TIFF"), "unsupported-image"),
        (png(50_000, 50_000, 8, 2, None), "too-many-pixels"),
        (CURSED, "no-finite-score"),
    ],
    ids=["empty", "text", "gif", "truncated", "float", "pixels", "nan"],
)
@pytest.mark.parametrize("raw", [True, False])
async def test_a_photo_that_cannot_be_judged_is_422(
    service: Service, photo: bytes, slug: str, raw: bool
) -> None:
    if raw:
        answer = await service.client.post(
            "/score/can", content=photo, headers={"content-type": "image/jpeg"}
        )
    else:
        answer = await service.score(photo)
    assert_problem(answer, 422, slug)


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/octet-stream", "", "imagepng"]
)
async def test_another_content_type_is_415(service: Service, content_type: str) -> None:
    answer = await service.client.post(
        "/score/can", content=GOOD, headers={"content-type": content_type}
    )
    assert_problem(answer, 415, "unsupported-media-type")


async def test_no_content_type_is_415(service: Service) -> None:
    assert_problem(
        await service.client.post("/score/can", content=GOOD), 415, "unsupported-media-type"
    )


@pytest.mark.parametrize(
    "files",
    [
        [("photo", ("a.png", GOOD))],
        [("file", (None, "a text field"))],
        [("file", ("a.png", GOOD)), ("file", ("b.png", GOOD))],
        [("file", ("a.png", GOOD)), ("other", ("b.png", GOOD))],
    ],
    ids=["other name", "no file", "two files", "a second file"],
)
async def test_multipart_without_exactly_one_file_is_422(
    service: Service, files: list[tuple[str, tuple[str | None, bytes]]]
) -> None:
    assert_problem(await service.client.post("/score/can", files=files), 422, "bad-upload")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data\r\n\r\n.\r\n--x--",
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: \xff\r\n\r\n.\r\n--x--\r\n",
        ),
        ("multipart/form-data; boundary=x; charset=klingon", b"--x\r\n\r\n.\r\n--x--\r\n"),
    ],
)
async def test_broken_multipart_is_422(service: Service, content_type: str, body: bytes) -> None:
    answer = await service.client.post(
        "/score/can", content=body, headers={"content-type": content_type}
    )
    assert_problem(answer, 422, "bad-upload")


@pytest.mark.parametrize(
    ("path", "params"),
    [("/score/" + "c" * 65, {}), ("/score/can", {"heatmap": "perhaps"})],
)
async def test_invalid_parameters_are_422(
    service: Service, path: str, params: dict[str, str]
) -> None:
    answer = await service.client.post(path, files={"file": GOOD}, params=params)
    assert_problem(answer, 422, "invalid-request")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(
    body=st.binary(max_size=600),
    content_type=st.sampled_from(
        ["image/jpeg", "image/png", "multipart/form-data; boundary=x", "text/plain", "", "a/b;c=d"]
    ),
    path=st.sampled_from(
        ["/score/can", "/score/can/batch", "/score/torn", "/score/%00", "/evaluate/x"]
    ),
)
async def test_no_bytes_whatsoever_are_a_500(
    service: Service, body: bytes, content_type: str, path: str
) -> None:
    answer = await service.client.post(path, content=body, headers={"content-type": content_type})
    assert answer.status_code in (404, 415, 422, 503), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(
    disposition=st.binary(max_size=60).filter(lambda b: b"\n" not in b and b"\r" not in b),
    content=st.binary(max_size=200),
    prefix=st.sampled_from(
        [b'form-data; name="file"; filename="a.png"', b"form-data; name=file", b""]
    ),
)
async def test_no_multipart_whatsoever_is_a_500(
    service: Service, disposition: bytes, content: bytes, prefix: bytes
) -> None:
    head = b"--x\r\nContent-Disposition: " + prefix + disposition + b"\r\n\r\n"
    answer = await service.client.post(
        "/score/can",
        content=head + content + b"\r\n--x--\r\n",
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 422, answer.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(path=st.text(max_size=40))
async def test_no_path_whatsoever_is_a_500(service: Service, path: str) -> None:
    for method in ("GET", "POST"):
        url = service.client.base_url.copy_with(raw_path=b"/" + _quoted(path))
        answer = await service.client.request(method, url)
        assert answer.status_code < 500 or answer.status_code == 503


def _quoted(path: str) -> bytes:
    return "".join(f"%{byte:02X}" for byte in path.encode("utf-8", "surrogatepass")).encode()


async def test_an_unforeseen_error_is_500_without_its_details(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def fail() -> None:
        raise KeyError("/secret/path went wrong")

    async with serve(tmp_path_factory.mktemp("failing"), log_level="error") as service:
        service.network.before = fail
        answer = await service.score(GOOD)
        body = assert_problem(answer, 500, "internal")
        assert body["request_id"] in body["detail"]
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert "KeyError" not in answer.text
        assert await service.metric("goodsguard_queue_depth") == 0
        service.network.before = lambda: None
        assert (await service.score(GOOD)).status_code == 200
