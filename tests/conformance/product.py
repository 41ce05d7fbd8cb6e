"""The product on an installation of its own, and one of each kind of credential that it issues.

Nothing here is built for the tests: everything is awarded, signed and served as it is to anybody. What
verifiers fetch is what the application answers at that address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask

from lti_tool.app import create_app
from lti_tool.bootstrap import Tool, build_tool
from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.credentials.contexts import REGISTRY
from lti_tool.domain.criteria import AllOf, Channel, ScoreAtLeast
from lti_tool.services.evidence import Judgement
from lti_tool.services.sharing import Sharing
from lti_tool.services.staffing import Operator
from lti_tool.services.transcripts import Transcripts
from lti_tool.settings import load_settings
from lti_tool.store import tables
from tests import factories
from tests.factories import Course, Placed
from tests.integration.gradebook import Clock
from tests.integration.services import school as school_module
from tests.integration.services.people import PORTFOLIO, People, people
from tests.integration.services.school import School, session_of

BASE_URL = school_module.BASE_URL
EMAIL = "ada@school.example"
QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR)
LINKS = replace(
    PORTFOLIO, accepts=tuple(kind for kind in PORTFOLIO.accepts if kind.value == "link"), checklist=()
)
EVERYTHING: Mapping[str, Any] = {
    "name": "Maps & “Data” 数据 😀",
    "alignments": [
        {
            "target_name": "read maps",
            "target_url": "http://data.europa.eu/esco/skill/1",
            "target_framework": "ESCO v1.2.0",
            "target_code": "S1.2",
            "target_type": "ceasn:Competency",
        },
        {"target_name": "DL.1", "target_url": "https://case.example.edu/uri/1", "target_type": "CFItem"},
    ],
    "credits": Decimal("2.5"),
    "credit_unit": "ects",
    "human_code": "GEO-101",
    "field_of_study": "Geography",
    "validity_months": 12,
    "shows_results": True,
    "shows_evidence": True,
    "status_purpose": "suspension",
    "result_descriptions": [
        {
            "key": "quiz",
            "name": "Quiz 1",
            "result_type": "Percent",
            "required_value": "80",
            "value_min": "0",
            "value_max": "100",
        }
    ],
}
DID = re.compile(r"did:web:[A-Za-z0-9.%:_-]+")


@dataclass(frozen=True)
class Issued:
    """A credential as somebody has it: the bytes of a file, or the address at which it is hosted."""

    data: bytes
    address: str = ""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        loaded: dict[str, Any] = json.loads(self.data)
        return loaded

    def changed(self, change: Callable[[dict[str, Any]], object]) -> Issued:
        """A copy in which somebody changed something."""
        copied = json.loads(self.data)
        change(copied)
        return Issued(json.dumps(copied).encode(), self.address)


class Product:
    """A school with two issuers and a badge each, one plain and one that says everything there is to say."""

    def __init__(self, database_url: str, folder: Path) -> None:
        # Verifiers that take no time but the machine's must find today's badges valid.
        clock = Clock(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2))
        settings = load_settings(
            {
                "LTI_TOOL_ENV": "development",
                "LTI_TOOL_BASE_URL": BASE_URL,
                "LTI_TOOL_DATABASE_URL": database_url,
                "LTI_TOOL_KEYS_DIR": str(folder / "keys"),
            },
            data_dir=folder / "data",
        )
        self.tool: Tool = build_tool(settings, clock=clock)
        self.school = School(self.tool.database, settings.keys_dir, clock)
        self.app: Flask = create_app(tool=self.tool)
        self.plain_course, self.plain = self._plain()
        self.learner = self._enrolled(self.plain_course)
        self.full = self._full()
        self.endorsement_id = self._endorse()
        self.badge_id = self.school.issued(self.plain_course, self.plain, self.learner)
        self.full_badge_id = self._earn()
        # A record holds several.
        second = factories.placed(self.school.database, self.full.course)
        self.school.issued(self.full.course, second, self.full.learners[0])
        self.share(self.plain_course, self.learner, self.badge_id)
        # Whatever is signed in the same second as it is looked at is valid from the next one on.
        clock.forward(hours=1)

    def close(self) -> None:
        self.tool.close()

    # -- making

    def _plain(self) -> tuple[Course, Placed]:
        course = self.school.course()
        return course, factories.placed(self.school.database, course)

    def _enrolled(self, course: Course) -> str:
        (learner,) = factories.enrol(self.school.database, course)
        self.school.change(tables.Learner, tables.Learner.id == learner, email=EMAIL)
        return learner

    def _full(self) -> People:
        made = people(self.school, AllOf((QUIZ, LINKS)))
        drawing = render_svg(Artwork("shield", "award", "#0b3d63", "#ffffff", "Basics", "A blue shield"))
        self.school.change(
            tables.AchievementVersion,
            tables.AchievementVersion.id == made.placed.achievement_version_id,
            image_svg=drawing,
            image_png=render_png(drawing, 64),
            **EVERYTHING,
        )
        self.school.change(
            tables.Issuer,
            tables.Issuer.id == made.course.issuer_id,
            terms_url="https://terms.example/",
            names_schema=True,
            offers_refresh=True,
            token_algorithm="ES256",
            url="https://school.example/",
            email="badges@school.example",
            description="Teaches.",
        )
        self.school.change(tables.Learner, tables.Learner.id.in_(made.learners), email=EMAIL)
        return made

    def _endorse(self) -> str:
        """The issuer of the plain badge endorses the achievement of the full one, which accepts."""
        endorser = Operator(self.plain_course.organisation_id)
        endorsed = Operator(self.full.course.organisation_id)
        address = f"{BASE_URL}/achievements/{self.full.placed.achievement_version_id}"
        endorsing = self.tool.endorsing
        id_ = endorsing.endorse(
            endorser, self.plain_course.issuer_id, address, "We count it for our own course."
        )
        endorsing.accept(endorsed, id_)
        return id_

    def _earn(self, number: int = 0) -> str:
        """A learner of the full badge's course earns it; the credential's id."""
        learner = self.full.learners[number]
        factories.grade(
            self.school.database, self.full.course, self.full.placed, [learner], Decimal("87.456")
        )
        handed_in = self.full.hand_in(number, url="https://portfolio.example/ada/maps?x=1&y=2")
        accept = Judgement(is_accepted=True, comment="", ticked=LINKS.checklist)
        self.full.submissions.judge(self.full.teacher(), handed_in, accept)
        decided = self.school.awarding.decide_context(
            self.full.course.organisation_id, self.full.course.context_id
        )
        self.school.issuing.issue_for(decided.award_ids)
        (award,) = self.school.rows(tables.Award, tables.Award.learner_id == learner)
        (row,) = self.school.rows(tables.Credential, tables.Credential.award_id == award.id)
        self.share(self.full.course, learner, row.id)
        id_: str = row.id
        return id_

    def share(self, course: Course, learner: str, credential_id: str) -> None:
        """The learner makes the badge public."""
        sharing = Sharing(self.school.database, self.school.clock, self.school.urls)
        sharing.set_public(session_of(course, learner), credential_id, is_public=True)

    # -- what becomes of them

    def revoked(self) -> str:
        """A badge that its issuer withdrew; the credential's id."""
        learner = self._enrolled(self.plain_course)
        credential_id = self.school.issued(self.plain_course, self.plain, learner)
        self.share(self.plain_course, learner, credential_id)
        self._look_again(self.tool.revoking.revoke(credential_id, "Awarded by mistake", "cli").status_list_id)
        return credential_id

    def expired(self) -> str:
        """A badge that was valid for a year, and was earned before that."""
        self.school.clock.forward(days=-400)
        credential_id = self._earn(1)
        self.school.clock.forward(days=400)
        return credential_id

    def suspended(self) -> str:
        """A badge that is paused."""
        credential_id = self._earn(2)
        self._look_again(self.tool.revoking.suspend(credential_id, "Being looked into", "cli").status_list_id)
        return credential_id

    def resume(self, credential_id: str) -> None:
        """It counts again."""
        self._look_again(self.tool.revoking.resume(credential_id, "cli").status_list_id)

    def withdraw_endorsement(self) -> None:
        """The endorser takes back what it said."""
        self.tool.endorsing.withdraw(Operator(self.plain_course.organisation_id), self.endorsement_id)
        for list_id in self.tool.status_lists.unsigned():
            self.tool.status_lists.sign(list_id)

    def rotate(self) -> None:
        """The issuer of the plain badge signs with a new key from now on."""
        acting = Operator(self.plain_course.organisation_id)
        self.tool.reissuing.rotate(acting, self.plain_course.issuer_id)

    def compromise(self, method: str) -> None:
        """Somebody else has seen the key; what it signed is signed anew."""
        acting = Operator(self.plain_course.organisation_id)
        kid = method.rpartition("#")[2]
        self.school.clock.forward(minutes=5)
        run = self.tool.reissuing.compromise(acting, self.plain_course.issuer_id, kid)
        self.tool.reissuing.work(run.id)

    def _look_again(self, status_list_id: str | None) -> None:
        assert status_list_id is not None
        self.tool.status_lists.sign(status_list_id)

    # -- having

    def served(self, path: str, accept: str = "application/json", status: int = 200) -> bytes:
        """What the application answers."""
        answer = self.app.test_client().get(path, base_url=BASE_URL, headers={"Accept": accept})
        assert answer.status_code == status, (path, answer.status_code)
        body: bytes = answer.data
        return body

    def issued(self, path: str) -> Issued:
        """What is served at an address of ours."""
        return Issued(self.served(path), f"{BASE_URL}{path}")

    def record(self, format_: Any = "json") -> Issued:
        """The learner's record of all badges."""
        school = self.school
        transcripts = Transcripts(school.database, school.clock, school.issuing, school.tokens)
        course, learner = self.full.course, self.full.learners[0]
        return Issued(transcripts.of_learner(course.organisation_id, learner, format_, "cli"))

    def status_list(self, document: Mapping[str, Any]) -> Issued:
        """The list that a credential names."""
        return self.issued(urlsplit(document["credentialStatus"]["statusListCredential"]).path)

    # -- the world around

    def pictures(self, documents: Mapping[str, str]) -> dict[str, bytes]:
        """The pictures of ours that these documents name."""
        named = {url for text in documents.values() for url in addresses(text.encode())}
        return {
            url: self.served(urlsplit(url).path, "image/png")
            for url in named
            if url.startswith(f"{BASE_URL}/") and url.endswith((".png", ".svg"))
        }

    def documents(self, data: bytes, more: Iterable[str] = ()) -> dict[str, str]:
        """Every document of ours that ``data`` leads to, and the contexts, by their addresses."""
        return served_documents(self.app, BASE_URL, data, more)


def served_documents(app: Flask, base_url: str, data: bytes, more: Iterable[str] = ()) -> dict[str, str]:
    """Every document of an installation that ``data`` leads to, and the contexts, by their addresses."""
    found = {url: json.dumps(dict(context.document)) for url, context in REGISTRY.items()}
    host = urlsplit(base_url).netloc
    waiting = [*addresses(data), *more]
    while waiting:
        url = waiting.pop()
        if url in found or urlsplit(url).netloc != host:
            continue
        answer = app.test_client().get(
            urlsplit(url).path, base_url=base_url, headers={"Accept": "application/json"}
        )
        if answer.status_code in (200, 410) and (answer.mimetype or "").endswith("json"):
            found[url] = answer.get_data(as_text=True)
            waiting += addresses(answer.data)
    return found


def addresses(data: bytes) -> set[str]:
    """Every address that a document names, those of DID documents among them."""
    text = data.decode("utf-8", "replace")
    plain = {url.partition("#")[0] for url in re.findall(r"https?://[^\s\"'\\<>]+", text)}
    return plain | {did_address(did.rstrip(":")) for did in DID.findall(text)}


def did_address(did: str) -> str:
    """Where a did:web stands (W3C did:web, "Read")."""
    host, *path = (unquote(part) for part in did.split("#")[0].removeprefix("did:web:").split(":"))
    return f"https://{host}/{'/'.join(path) or '.well-known'}/did.json"
