"""Open Badges 2.0 as the world reads it: 1EdTech's own validator and the bakery it uses, on what we serve."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.services.hosting import Hosting
from lti_tool.services.privacy import Privacy
from lti_tool.services.public import PublicRecords
from lti_tool.services.sharing import Sharing
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.integration.services.school import BASE_URL, School, session_of
from tests.unit.web.samples import Sample, sample_app

pytestmark = pytest.mark.timeout(600)  # the first of them installs what the others use

HERE = Path(__file__).parent / "open_badges_2"
CACHE = Path(__file__).parents[2] / "build" / "open-badges-2"
EMAIL = "ada@school.example"
JSON_LD = {"Accept": "application/ld+json"}


@pytest.fixture(scope="session")
def python() -> Path:
    """A Python with 1EdTech's validator: its requirements of 2017 bear with no others, so it lives apart."""
    required = HERE / "requirements.txt"
    digest = hashlib.sha256(required.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / digest
    if not (folder / "done").exists():
        # several test processes may come at once: whoever is first makes it, and an environment cannot move
        CACHE.mkdir(parents=True, exist_ok=True)
        import fcntl

        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                shutil.rmtree(folder, ignore_errors=True)
                subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=200)
                install = ["-m", "pip", "install", "-q", "--no-deps", "-r", required]
                subprocess.run(
                    [folder / "bin" / "python", *install], check=True, timeout=400, capture_output=True
                )
                (folder / "done").touch()
    return folder / "bin" / "python"


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
    drawing = render_svg(Artwork("shield", "award", "#0b3d63", "#ffffff", "Basics", "A blue shield"))
    school.change(tables.AchievementVersion, image_svg=drawing, image_png=render_png(drawing, 64))
    (learner,) = factories.enrol(school.database, course)
    school.change(tables.Learner, tables.Learner.id == learner, email=EMAIL)
    credential_id = school.issued(course, placed, learner)
    sharing = Sharing(school.database, school.clock, school.urls)
    sharing.set_public(session_of(course, learner), credential_id, is_public=True)
    sample = Sample()
    sample.settings.base_url = BASE_URL
    sample.public = PublicRecords(school.database, school.issuing, school.urls)  # type: ignore[assignment]
    sample.issuing = school.issuing  # type: ignore[assignment]
    sample.hosting = Hosting(school.database, school.issuing, school.urls)  # type: ignore[attr-defined]
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


def test_it_is_another_persons_for_another_address(python: Path, world: World) -> None:
    documents = world.documents()
    assertion = json.loads(base64.b64decode(documents[world.url]["body"]))
    assertion["recipient"]["identity"] = "sha256$" + hashlib.sha256(b"somebody else").hexdigest()
    documents[world.url]["body"] = base64.b64encode(json.dumps(assertion).encode()).decode()
    assert not judged(python, world, world.url, documents)["valid"]


def test_a_revoked_badge_is_gone_and_says_why(python: Path, world: World) -> None:
    world.school.issuing.revoke_credential(world.credential_id, "Awarded by mistake", "cli")
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
    assert old["issuedOn"] == new["validFrom"]
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
