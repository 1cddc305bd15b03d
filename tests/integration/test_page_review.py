"""The page Review: its queue for many people at once, its form, undo, and who may send what."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.keys import hashed
from app.records.ids import uuid7
from tests.integration.service import GOOD, Json, Service, serve
from tests.support import encode, plain

pytestmark = pytest.mark.anyio

ORIGIN = "http://localhost"
KEYS = ("score", "anna", "bert")
NASTY = "\"><script>alert(1)</script> '); DROP TABLE verdicts; --"
_CARD = re.compile(r'data-card="([^"]*)"')


@asynccontextmanager
async def service(root: Path, photos: int, **settings: Any) -> AsyncIterator[Service]:
    """Without keys: this machine's own; so many photos of their own are scored."""
    async with serve(root, records="on", **({"records_photos": "all"} | settings)) as running:
        for number in range(photos):
            photo = encode(plain((255, number, 0) if number % 2 else (120, 120, 100 + number)))
            answer = await running.score(photo)
            assert answer.status_code == 200
        assert running.app.state.services.records.flush(30)
        yield running


class Person:
    """One who has the page open, as its script does."""

    def __init__(self, service: Service, client: httpx.AsyncClient, text: str) -> None:
        self.service, self.client, self.text = service, client, text
        self.token = self.found(r'name="csrf-token" content="(\w+)"')
        self.sitting = self.found(r'name="sitting" value="(\w+)"')
        self.card: Json | None = _card(text)

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.text)
        assert match, pattern
        return html.unescape(match[1])

    @classmethod
    async def opens(
        cls, service: Service, client: httpx.AsyncClient | None = None, query: str = ""
    ) -> Person:
        client = client or service.client
        answer = await client.get(f"/page/review{query}")
        assert answer.status_code == 200, answer.text
        return cls(service, client, answer.text)

    async def send(self, what: str, body: Json, **params: str) -> httpx.Response:
        headers = {"Origin": ORIGIN, "X-CSRF-Token": self.token, "HX-Request": "true"}
        return await self.client.post(
            f"/page/review/{what}", json=body, params=params, headers=headers
        )

    async def next(self, *skip: str, category: str | None = None) -> Json | None:
        body = {"sitting": self.sitting, "skip": list(skip), "category": category}
        answer = await self.send("next", body)
        assert answer.status_code in (200, 204), answer.text
        return _card(answer.text)

    async def decide(self, verdict: str, decision: str = "good", **said: Any) -> httpx.Response:
        return await self.send("decide", {"decision": decision} | said, id=verdict)

    async def history(self, verdict: str) -> list[Json]:
        answer = await self.service.client.get(f"/verdicts/{verdict}/reviews")
        items: list[Json] = answer.json()["items"]
        return items

    async def submit(self, **fields: str) -> httpx.Response:
        """The form, as a browser without scripts."""
        names = ("verdict", "review", "sitting", "category", "skip")
        sent = {name: self.found(rf'name="{name}" value="([^"]*)"') for name in names}
        headers = {"Origin": ORIGIN}
        address = f"/page/review?csrf={self.token}"
        return await self.client.post(address, data=sent | fields, headers=headers)


def _card(text: str) -> Json | None:
    match = _CARD.search(text)
    return json.loads(html.unescape(match[1])) if match else None


async def test_anomalous_photos_come_first_and_each_once(tmp_path: Path) -> None:
    async with service(tmp_path, 8) as running:
        person = await Person.opens(running)
        seen, card = [], person.card
        while card is not None:
            seen.append(card)
            answer = await person.decide(card["id"], id=str(uuid7()))
            assert answer.status_code == 200, answer.text
            assert answer.json()["left"]["all"] == str(8 - len(seen))
            card = await person.next()
        assert len({one["id"] for one in seen}) == 8
        assert [one["name"] for one in seen] == ["can, anomalous"] * 4 + ["can, normal"] * 4
        again = await Person.opens(running)
        assert again.card is None
        assert "All done" in again.text


async def test_many_reviewers_at_once_get_photos_of_their_own(tmp_path: Path) -> None:
    """Twenty pages, two photos ahead each, decide forty photos: none comes twice, none is lost."""
    async with service(tmp_path, 40) as running:
        decided: list[str] = []
        people = [await Person.opens(running) for _ in range(20)]
        assert len({person.card["id"] for person in people if person.card}) == 20

        async def review(person: Person) -> None:
            card = person.card
            while card is not None:
                following = await person.next(card["id"])
                decided.append(card["id"])
                assert (await person.decide(card["id"])).status_code == 200
                card = following

        await asyncio.gather(*(review(person) for person in people))
        assert (len(decided), len(set(decided))) == (40, 40)
        for verdict in decided:
            assert len(await people[0].history(verdict)) == 1


async def test_a_photo_that_is_passed_over_goes_to_others(tmp_path: Path) -> None:
    async with service(tmp_path, 2) as running:
        anna, bert = await Person.opens(running), await Person.opens(running)
        assert anna.card
        assert bert.card
        assert await anna.next(anna.card["id"]) is None  # the other one is bert's
        body = {"sitting": anna.sitting, "ids": [anna.card["id"]]}
        assert (await anna.send("release", body)).status_code == 204
        card = await bert.next(bert.card["id"])
        assert card
        assert card["id"] == anna.card["id"]
        lost = await anna.send("hold", body)
        assert lost.json() == {"lost": [anna.card["id"]]}
        held = await bert.send("hold", body | {"sitting": bert.sitting})
        assert held.json() == {"lost": []}


async def test_who_leaves_gives_all_back(tmp_path: Path) -> None:
    async with service(tmp_path, 2) as running:
        anna = await Person.opens(running)
        assert anna.card
        assert await anna.next(anna.card["id"])
        bert = await Person.opens(running)
        assert bert.card is None
        await anna.send("release", {"sitting": anna.sitting})
        assert await bert.next()


async def test_a_review_that_is_sent_twice_is_stored_once(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        assert person.card
        verdict = person.card["id"]
        box = {"left": 3, "top": 4, "right": 20, "bottom": 25}
        said = {"id": str(uuid7()), "defect": NASTY, "note": NASTY, "boxes": [box]}
        for _ in range(2):
            answer = await person.decide(verdict, "defective", **said)
            assert answer.status_code == 200
        (stored,) = await person.history(verdict)
        assert stored["decision"] == "defective"
        assert (stored["defect"], stored["note"]) == (NASTY, NASTY)
        assert stored["boxes"] == [box]
        assert stored["id"] == said["id"]
        # What people wrote is text wherever it stands.
        shown = await Person.opens(running, query=f"?id={verdict}")
        assert "<script>alert" not in shown.text
        assert shown.card
        assert shown.card["review"]["defect"] == NASTY
        types = await running.client.get("/page/review/types", params={"prefix": NASTY[:3]})
        assert types.json() == [NASTY]


async def test_who_undoes_a_first_review_and_leaves_gives_the_photo_back(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        assert person.card
        verdict = person.card["id"]
        first = (await person.decide(verdict, "good")).json()["review"]["id"]
        assert await person.next() is None
        undone = {"review": first, "id": str(uuid7()), "sitting": person.sitting}
        for _ in range(2):  # sent again it is stored once
            assert (await person.send("undo", undone, id=verdict)).status_code == 200
        said = [(one["decision"], one["note"]) for one in await person.history(verdict)]
        assert said == [("good", None), (None, None)]
        stored = (await running.client.get(f"/verdicts/{verdict}")).json()
        assert stored["review"] is None
        page = (await running.client.get(f"/page/verdict?id={verdict}")).text
        assert "taken back" in page
        assert "it counts as not reviewed" in page
        # It lies before its author, to be decided anew; then others may have it.
        other = await Person.opens(running)
        assert other.card is None
        assert ">1</strong> in all" in other.text
        await person.send("release", {"sitting": person.sitting})
        card = await other.next()
        assert card
        assert (card["id"], card["review"]) == (verdict, None)
        again = await person.send("undo", {"review": first, "id": str(uuid7())}, id=verdict)
        assert again.status_code == 409
        assert "not the latest" in again.text


async def test_undo_of_a_second_review_says_the_first_again(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        assert person.card
        verdict = person.card["id"]
        box = {"left": 0, "top": 0, "right": 5, "bottom": 5}
        await person.decide(verdict, "defective", defect="dent", boxes=[box], note="edge")
        second = (await person.decide(verdict, "good")).json()["review"]["id"]
        answer = await person.send("undo", {"review": second, "id": str(uuid7())}, id=verdict)
        assert answer.json()["review"]["decision"] == "defective"
        first, _, third = await person.history(verdict)
        same = ("decision", "defect", "boxes", "note")
        assert [third[name] for name in same] == [first[name] for name in same]


@pytest.mark.parametrize("what", ["next", "decide", "undo", "hold", "release"])
async def test_changes_need_origin_and_token(tmp_path: Path, what: str) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        assert person.card
        address, body = f"/page/review/{what}?id={person.card['id']}", {"decision": "good"}
        for headers in (
            {"X-CSRF-Token": person.token},
            {"X-CSRF-Token": person.token, "Origin": "http://evil.example"},
            {"Origin": ORIGIN},
            {"Origin": ORIGIN, "X-CSRF-Token": "0" * 64},
        ):
            answer = await running.client.post(address, json=body, headers=headers)
            assert answer.status_code == 403, answer.text
        assert await person.history(person.card["id"]) == []
        form = await running.client.post("/page/review", data={"decision": "good"})
        assert form.status_code == 403


async def test_the_form_works_without_scripts(tmp_path: Path) -> None:
    async with service(tmp_path, 3) as running:
        person = await Person.opens(running)
        first = person.found(r'name="verdict" value="([^"]*)"')
        answer = await person.submit(decision="defective", defect="dent", note=NASTY)
        assert answer.status_code == 303, answer.text
        (stored,) = await person.history(first)
        assert (stored["decision"], stored["defect"], stored["note"]) == (
            "defective",
            "dent",
            NASTY,
        )
        # Sent twice it is stored once; with another decision, from the page before, it is another.
        assert (
            await person.submit(decision="defective", defect="dent", note=NASTY)
        ).status_code == 303
        assert (await person.submit(decision="good")).status_code == 303
        assert [one["decision"] for one in await person.history(first)] == ["defective", "good"]

        follow = answer.headers["location"]
        assert follow.startswith("review?sitting=")
        second = await Person.opens(running, query=follow.removeprefix("review"))
        verdict = second.found(r'name="verdict" value="([^"]*)"')
        assert verdict != first
        answer = await second.submit(decision="skip")
        third = await Person.opens(running, query=answer.headers["location"].removeprefix("review"))
        assert third.found(r'name="verdict" value="([^"]*)"') not in (first, verdict)
        assert await third.history(verdict) == []


async def test_a_form_of_nonsense_is_refused_in_words(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        for fields in ({"decision": "maybe"}, {"verdict": "x"}, {"decision": "good", "review": ""}):
            answer = await person.submit(**fields)
            assert answer.status_code == 422
            assert "load the page again" in answer.text
        answer = await person.submit(decision="good", note="\0")
        assert answer.status_code == 422
        assert "cannot be stored" in answer.text
        answer = await person.submit(decision="good", verdict=str(uuid7()))
        assert answer.status_code == 404


async def test_a_box_beyond_the_photo_is_refused(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        person = await Person.opens(running)
        assert person.card
        box = {"left": 0, "top": 0, "right": 41, "bottom": 5}
        answer = await person.decide(person.card["id"], "defective", boxes=[box])
        assert answer.status_code == 422
        assert "beyond the photo of 40×30 pixels" in answer.text


async def test_one_category_only(tmp_path: Path) -> None:
    async with service(tmp_path, 2) as running:
        await running.score(GOOD, "box")
        assert running.app.state.services.records.flush(30)
        person = await Person.opens(running, query="?category=box")
        assert person.card
        assert person.card["name"].startswith("box, ")
        assert await person.next(person.card["id"], category="box") is None
        empty = await Person.opens(running, query="?category=nowhere")
        assert empty.card is None
        assert "a photo of nowhere" in empty.text


async def test_a_verdict_is_asked_for_by_its_id(tmp_path: Path) -> None:
    async with service(tmp_path, 3) as running:
        anna = await Person.opens(running)
        assert anna.card
        bert = await Person.opens(running, query=f"?id={anna.card['id']}")
        assert bert.card
        assert bert.card["id"] == anna.card["id"]
        assert "Somebody else has this photo" in bert.text
        assert (await running.client.get(f"/page/review?id={uuid7()}")).status_code == 404
        assert (await running.client.get("/page/review?id=7")).status_code == 422


async def test_a_browser_that_looks_ahead_holds_no_photo(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        for headers in ({"Sec-Fetch-Dest": "image"}, {"Sec-Purpose": "prefetch;prerender"}):
            answer = await running.client.get("/page/review", headers=headers)
            assert _card(answer.text) is None
        assert (await Person.opens(running)).card


async def test_what_a_p_value_means_is_said_of_the_bank_that_judged(tmp_path: Path) -> None:
    async with service(tmp_path, 1) as running:
        good = len(running.app.state.services.registry.detector("can").calibration.scores)
        page = (await Person.opens(running)).text
        assert f"of the {good} good photos that were kept for comparison" in page


async def test_what_is_not_kept_is_said(tmp_path: Path) -> None:
    async with service(tmp_path, 2, records_photos="none") as running:
        person = await Person.opens(running)
        assert person.card
        assert (person.card["picture"], person.card["map"]) == (None, False)
        assert "is kept" in person.text
        board = (await running.client.get("/page/now")).text
        assert "Nothing can be seen of them" in board
        assert (await person.decide(person.card["id"])).status_code == 200


async def test_a_photo_that_could_not_be_read_is_only_downloaded(tmp_path: Path) -> None:
    async with service(tmp_path, 0) as running:
        assert (await running.score(b"no image")).status_code == 422
        assert running.app.state.services.records.flush(30)
        person = await Person.opens(running)
        assert person.card
        assert person.card["picture"] is None
        assert "could not be judged" in person.text
        assert f"verdicts/{person.card['id']}/photo" in person.text
        assert "<img" not in person.text


async def test_without_records_the_page_says_so(tmp_path: Path) -> None:
    async with serve(tmp_path, records="off") as running:
        answer = await running.client.get("/page/review")
        assert answer.status_code == 200
        assert "GOODSGUARD_RECORDS=off" in answer.text
        assert _card(answer.text) is None


async def test_reviews_are_their_keys_and_nobody_takes_back_anothers(tmp_path: Path) -> None:
    keys = tuple(
        f"{name}:{'score' if name == 'score' else 'review'}:sha256:{hashed(name.encode())}"
        for name in KEYS
    )
    async with serve(tmp_path, records="on", records_photos="all", api_keys=keys) as running:
        photo = {"file": GOOD}
        answer = await running.client.post(
            "/score/can", files=photo, headers={"X-API-Key": "score"}
        )
        verdict = answer.json()["id"]
        assert running.app.state.services.records.flush(30)
        people = {}
        transport = httpx.ASGITransport(running.app)
        async with (
            httpx.AsyncClient(transport=transport, base_url=ORIGIN) as one,
            httpx.AsyncClient(transport=transport, base_url=ORIGIN) as other,
        ):
            for name, client in (("anna", one), ("bert", other)):
                login = await client.post(
                    "/page/login", data={"key": name}, headers={"Origin": ORIGIN}
                )
                assert login.status_code == 303
                people[name] = await Person.opens(running, client, f"?id={verdict}")
            said = (await people["anna"].decide(verdict)).json()["review"]
            assert said["who"] == "anna"
            body = {"review": said["id"], "id": str(uuid7())}
            refused = await people["bert"].send("undo", body, id=verdict)
            assert refused.status_code == 403
            assert "somebody else" in refused.text
            # Another session's token opens nothing.
            people["bert"].token = people["anna"].token
            assert (await people["bert"].decide(verdict)).status_code == 403
            await one.post(f"/page/logout?csrf={people['anna'].token}", headers={"Origin": ORIGIN})
            assert (await people["anna"].decide(verdict)).status_code == 401
