"""Open Badges 2.0 as the world reads it: 1EdTech's own validator and the bakery it uses, on what we serve."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.keyring import Keyring
from lti_tool.services.hosting import Hosting
from lti_tool.services.privacy import Privacy
from lti_tool.services.public import PublicRecords
from lti_tool.services.sharing import Sharing
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import NOW
from tests.integration.services.people import LINKS_ONLY, people
from tests.integration.services.school import BASE_URL, School, session_of
from tests.integration.services.test_badge_contents import ACCEPT, SAID, WORK
from tests.unit.web.samples import Sample, sample_app

pytestmark = pytest.mark.timeout(600)  # the first of them installs what the others use

HERE = Path(__file__).parent / "open_badges_2"
EMAIL = "ada@school.example"
JSON_LD = {"Accept": "application/ld+json"}


@dataclass(frozen=True)
class World:
    """One shared badge, and the pages that a stranger reads."""

    school: School
    client: FlaskClient
    credential_id: str

    @property
    def url(self) -> str:
        return f"{BASE_URL}/ob2/assertions/{self.credential_id}"

    def documents(self) -> dict[str, dict[str, Any]]:
        """Everything that the assertion names, as it is served; redirects lead nowhere."""
        found: dict[str, dict[str, Any]] = {}
        waiting = [self.url]
        while waiting:
            url = waiting.pop()
            if url in found or not url.startswith(f"{BASE_URL}/"):
                continue
            answer = self.client.get(urlsplit(url).path, headers=JSON_LD)
            body = base64.b64encode(answer.data).decode()
            found[url] = {"status": answer.status_code, "type": answer.mimetype, "body": body}
            if answer.mimetype == "application/ld+json":
                waiting += _addresses(json.loads(answer.data))
        return found


def _addresses(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [url for member in value.values() for url in _addresses(member)]
    if isinstance(value, list):
        return [url for member in value for url in _addresses(member)]
    return [value] if isinstance(value, str) and value.startswith(f"{BASE_URL}/") else []


@pytest.fixture
def world(sqlite_database: Database, tmp_path: Path) -> World:
    school = School(sqlite_database, tmp_path / "keys")
    course = school.course()
    placed = factories.placed(school.database, course)
    drawn(school)
    (learner,) = factories.enrol(school.database, course)
    school.change(tables.Learner, tables.Learner.id == learner, email=EMAIL)
    return shared(school, course, learner, school.issued(course, placed, learner))


@pytest.fixture
def talkative_world(sqlite_database: Database, tmp_path: Path) -> World:
    """As :func:`world`; the badge says everything that can be said, and is the second version."""
    school = School(sqlite_database, tmp_path / "keys")
    course = people(school, LINKS_ONLY)
    drawn(school)
    learner = course.learners[0]
    school.change(tables.Learner, tables.Learner.id == learner, email=EMAIL)
    school.change(tables.AchievementVersion, number=2, **SAID)
    (second,) = school.rows(tables.AchievementVersion)
    with school.database.write() as session:
        columns = [column.name for column in tables.AchievementVersion.__table__.columns]
        copied = {name: getattr(second, name) for name in columns if name not in ("id", "number")}
        session.add(tables.AchievementVersion(**copied, number=1))
        picture = tables.Picture(
            organisation_id=second.organisation_id,
            digest="0" * 64,
            svg=second.image_svg,
            png=second.image_png,
            uploaded_by="staff:1",
            created_at=NOW,
        )
        session.add(picture)
    school.change(tables.Issuer, picture_id=picture.id)
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    (credential,) = school.rows(tables.Credential)
    return shared(school, course.course, learner, credential.id)


def drawn(school: School) -> None:
    drawing = render_svg(Artwork("shield", "award", "#0b3d63", "#ffffff", "Basics", "A blue shield"))
    school.change(tables.AchievementVersion, image_svg=drawing, image_png=render_png(drawing, 64))


def shared(school: School, course: factories.Course, learner: str, credential_id: str) -> World:
    sharing = Sharing(school.database, school.clock, school.urls)
    sharing.set_public(session_of(course, learner), credential_id, is_public=True)
    sample = Sample()
    sample.settings.base_url = BASE_URL
    sample.public = PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))  # type: ignore[assignment]
    sample.issuing = school.issuing  # type: ignore[assignment]
    sample.hosting = Hosting(school.database, school.issuing, school.urls)  # type: ignore[assignment]
    return World(school, sample_app(sample).test_client(), credential_id)


def judged(python: Path, world: World, badge: str, documents: dict[str, Any] | None = None) -> dict[str, Any]:
    question = {
        "input": badge,
        "recipient": {"email": EMAIL},
        "documents": world.documents() if documents is None else documents,
    }
    answer = subprocess.run(
        [python, HERE / "verify.py"],
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
        timeout=120,
        env={"PATH": os.environ["PATH"]},
    )
    report: dict[str, Any] = json.loads(answer.stdout)["report"]
    return report


def test_the_validator_of_1edtech_finds_nothing_to_object_to(python: Path, world: World) -> None:
    report = judged(python, world, world.url)
    assert (report["valid"], report["messages"]) == (True, [])
    assert report["openBadgesVersion"] == "2.0"


def test_it_finds_nothing_to_object_to_where_everything_is_said(python: Path, talkative_world: World) -> None:
    world = talkative_world
    report = judged(python, world, world.url)
    assert (report["valid"], report["messages"]) == (True, [])
    served = {
        url: json.loads(base64.b64decode(one["body"]))
        for url, one in world.documents().items()
        if one["type"] == "application/ld+json"
    }
    assertion = served[world.url]
    assert assertion["expires"] == NOW.replace(year=NOW.year + 1).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert assertion["evidence"][1] == {"type": "Evidence", "id": WORK, "name": "Portfolio"}
    badge = served[assertion["badge"]]
    assert badge["alignment"][0]["targetCode"] == "S1.2"
    assert badge["tags"] == ["Writing tests", "2.5 ECTS"]
    (before,) = badge["related"]
    assert before["id"] in served
    assert served[badge["issuer"]]["image"].endswith(".png")


def test_a_badge_that_is_over_is_expired_and_not_revoked(python: Path, talkative_world: World) -> None:
    world = talkative_world
    world.school.clock.forward(days=400)
    answer = world.client.get(urlsplit(world.url).path, headers=JSON_LD)
    assert answer.status_code == 200
    assert "revoked" not in answer.get_json(force=True)


def test_it_is_another_persons_for_another_address(python: Path, world: World) -> None:
    documents = world.documents()
    assertion = json.loads(base64.b64decode(documents[world.url]["body"]))
    assertion["recipient"]["identity"] = "sha256$" + hashlib.sha256(b"somebody else").hexdigest()
    documents[world.url]["body"] = base64.b64encode(json.dumps(assertion).encode()).decode()
    assert not judged(python, world, world.url, documents)["valid"]


def test_a_revoked_badge_is_gone_and_says_why(python: Path, world: World) -> None:
    world.school.revoking.revoke(world.credential_id, "Awarded by mistake", "cli")
    answer = world.client.get(f"/ob2/assertions/{world.credential_id}", headers=JSON_LD)
    assert answer.status_code == 410
    assert answer.mimetype == "application/ld+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json(force=True)
    assert (told["revoked"], told["revocationReason"]) == (True, "Awarded by mistake")
    assert not judged(python, world, world.url)["valid"], "it looks at the body alone, not at the 410"
    for kind in ("png", "svg"):
        assert world.client.get(f"/ob2/assertions/{world.credential_id}.{kind}").status_code == 404


def test_a_suspended_badge_is_gone_until_it_is_valid_again(python: Path, world: World) -> None:
    path = urlsplit(world.url).path
    world.school.change(tables.Credential, suspended_at=NOW, suspension_reason="Being looked into")
    assert world.client.get(path, headers=JSON_LD).status_code == 410
    assert not judged(python, world, world.url)["valid"]
    world.school.change(tables.Credential, suspended_at=None, suspension_reason=None)
    assert judged(python, world, world.url)["valid"]


def test_an_erased_badge_is_a_revoked_one_that_gives_no_reason(python: Path, world: World) -> None:
    school = world.school
    (award,) = school.rows(tables.Award)
    privacy = Privacy(school.database, school.clock, school.urls, school.hints)
    privacy.erase(privacy.person_by_id(award.learner_id), "cli")
    answer = world.client.get(f"/ob2/assertions/{world.credential_id}", headers=JSON_LD)
    assert answer.status_code == 410
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.get_json(force=True) == {
        "@context": "https://w3id.org/openbadges/v2",
        "id": world.url,
        "type": "Assertion",
        "revoked": True,
    }
    assert not judged(python, world, world.url)["valid"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_bakery_reads_the_picture(python: Path, world: World, kind: str, tmp_path: Path) -> None:
    path = f"/ob2/assertions/{world.credential_id}"
    picture = tmp_path / f"badge.{kind}"
    picture.write_bytes(world.client.get(f"{path}.{kind}").data)
    script = (
        "import sys; from openbadges_bakery import unbake\n"
        "told = unbake(open(sys.argv[1], 'rb'))\n"
        "print(told.decode() if isinstance(told, bytes) else told)"
    )
    answer = subprocess.run(
        [python, "-c", script, picture], capture_output=True, check=True, timeout=120, text=True
    )
    served = world.client.get(path, headers=JSON_LD).get_json(force=True)
    if answer.stdout.strip().startswith("{"):
        assert json.loads(answer.stdout) == served
    else:
        assert answer.stdout.strip() == world.url


def test_both_editions_say_the_same_of_the_same_person(world: World) -> None:
    old = world.client.get(f"/ob2/assertions/{world.credential_id}").get_json(force=True)
    new = world.client.get(f"/credentials/{world.credential_id}.json").get_json(force=True)
    (identity,) = new["credentialSubject"]["identifier"]
    assert old["recipient"]["identity"] == identity["identityHash"]
    assert old["recipient"]["salt"] == identity["salt"]
    assert old["issuedOn"] == new["awardedDate"]
    badge = world.client.get(urlsplit(old["badge"]).path).get_json(force=True)
    for name in ("name", "description"):
        assert badge[name] == new["credentialSubject"]["achievement"][name]
    assert new["id"] not in json.dumps(old), "one object is never both editions"
    assert EMAIL not in json.dumps(old)


def test_a_person_is_shown_the_page(world: World) -> None:
    document = world.client.get(f"/ob2/assertions/{world.credential_id}").get_json(force=True)
    badge = document["badge"]
    issuer = world.client.get(urlsplit(badge).path).get_json(force=True)["issuer"]
    wanted = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for url in (world.url, badge, issuer):
        answer = world.client.get(urlsplit(url).path, headers=wanted)
        assert answer.status_code == 303
        assert world.client.get(answer.headers["Location"], headers=wanted).status_code == 200


def test_nothing_is_hosted_that_was_not_shared(world: World) -> None:
    world.school.change(tables.Credential, is_public=False)
    for suffix in ("", ".png", ".svg"):
        assert world.client.get(f"/ob2/assertions/{world.credential_id}{suffix}").status_code == 404
        assert world.client.get(f"/ob2/assertions/unknown{suffix}").status_code == 404


def test_a_learner_without_an_address_has_no_older_badge(world: World) -> None:
    (credential,) = world.school.rows(tables.Credential)
    document = json.loads(credential.document)
    document["credentialSubject"]["identifier"][0]["identityType"] = "ltiUserId"
    world.school.change(tables.Credential, document=json.dumps(document))
    for suffix in ("", ".png", ".svg"):
        assert world.client.get(f"/ob2/assertions/{world.credential_id}{suffix}").status_code == 404
    page = world.client.get(f"/credentials/{world.credential_id}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "/ob2/" not in page.text
