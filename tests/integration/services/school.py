"""One organisation with a course, and the services that work on it, on a real database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.keyring import Keyring, issuer_purpose
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.expiring import Expiring
from lti_tool.services.freshness import Ages
from lti_tool.services.issuing import Issuing
from lti_tool.services.launching import SessionView
from lti_tool.services.own_documents import OwnDocuments
from lti_tool.services.reissuing import Reissuing
from lti_tool.services.renewing import Renewing
from lti_tool.services.revoking import Revoking
from lti_tool.services.sharing import Sharing
from lti_tool.services.status_lists import StatusLists
from lti_tool.services.tokens import Tokens
from lti_tool.services.transcripts import Transcripts
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import Course, Placed
from tests.integration.gradebook import Clock, Hints

BASE_URL = "https://badges.example"


@dataclass(frozen=True)
class School:
    """The services as the tool builds them, with a clock to move and hints to look at."""

    database: Database
    keys_dir: Path
    clock: Clock = field(default_factory=Clock)
    hints: Hints = field(default_factory=Hints)
    urls: PublicUrls = field(default_factory=lambda: PublicUrls(BASE_URL))

    def course(self) -> Course:
        """A course in an organisation of its own."""
        return factories.course(self.database)

    @property
    def awarding(self) -> Awarding:
        return Awarding(self.database, self.clock)

    @property
    def ages(self) -> Ages:
        return Ages(self.database, self.clock, CallBudgets(self.database, self.clock))

    @property
    def issuing(self) -> Issuing:
        return Issuing(
            self.database, IssuerKeyring(Keyring(self.keys_dir)), self.clock, self.urls, self.hints
        )

    @property
    def status_lists(self) -> StatusLists:
        return StatusLists(self.database, IssuerKeyring(Keyring(self.keys_dir)), self.clock, self.urls)

    @property
    def own_documents(self) -> OwnDocuments:
        return OwnDocuments(self.issuing, self.status_lists)

    @property
    def revoking(self) -> Revoking:
        return Revoking(self.database, self.clock, self.hints)

    @property
    def reissuing(self) -> Reissuing:
        keys = IssuerKeyring(Keyring(self.keys_dir))
        return Reissuing(
            self.database,
            keys,
            self.clock,
            self.urls,
            self.hints,
            self.status_lists.sign,
            self.issuing.documents_now,
            self.issuing.achievement_now,
        )

    @property
    def expiring(self) -> Expiring:
        return Expiring(self.database, IssuerKeyring(Keyring(self.keys_dir)), self.clock, self.urls)

    @property
    def renewing(self) -> Renewing:
        return Renewing(self.database, IssuerKeyring(Keyring(self.keys_dir)), self.clock, self.urls)

    @property
    def tokens(self) -> Tokens:
        sharing = Sharing(self.database, self.clock, self.urls)
        return Tokens(self.database, IssuerKeyring(Keyring(self.keys_dir)), self.urls, sharing)

    @property
    def transcripts(self) -> Transcripts:
        return Transcripts(self.database, self.clock, self.issuing, self.tokens)

    def issued(self, course: Course, placed: Placed, learner_id: str) -> str:
        """The id of a learner's new credential, signed."""
        award_id = factories.award(self.database, course, placed, learner_id)
        credential_id = self.issuing.issue_credential(award_id)
        assert credential_id is not None
        return credential_id

    def another_issuer(self, organisation_id: str) -> str:
        """Have new badges of an organisation signed by an issuer of its own from now on; its id."""
        with self.database.write() as session:
            issuer = tables.Issuer(organisation_id=organisation_id, name="Faculty", created_at=self.clock())
            session.add(issuer)
            session.flush()
            issuer_id = issuer.id
        of = tables.Achievement.organisation_id == organisation_id
        self.change(tables.Achievement, of, issuer_id=issuer_id)
        return issuer_id

    def expose_key(self, issuer_id: str, *, is_exposed: bool = True) -> None:
        """Let everybody on this machine read an issuer's key, so that it is used no more; or end that."""
        found = list((self.keys_dir / issuer_purpose(issuer_id) / "active").glob("*.pem"))
        assert found, "no key to expose"
        for path in found:
            path.chmod(0o644 if is_exposed else 0o600)

    def rows(self, table: type[tables.Base], *where: Any) -> Sequence[Any]:
        """Every row of a table."""
        with self.database.read() as session:
            return session.scalars(sa.select(table).where(*where)).all()

    def change(self, table: type[tables.Base], *where: Any, **values: Any) -> None:
        """Change rows behind the services' backs, as an LMS or a sync would."""
        with self.database.write() as session:
            changed = session.execute(sa.update(table).where(*where).values(**values))
            assert changed.rowcount, "nothing was there to change"  # type: ignore[attr-defined]

    def regrade(self, placed: Placed, learner_id: str, score: Any) -> None:
        """The teacher changed a grade, and a sync read it."""
        self.change(
            tables.Result,
            tables.Result.line_item_id == placed.line_item_id,
            tables.Result.learner_id == learner_id,
            score=score,
        )


def session_of(course: Course, learner_id: str, **changes: Any) -> SessionView:
    """What a page knows of a learner's launch in a course."""
    return SessionView(
        **{
            "id": "session",
            "organisation_id": course.organisation_id,
            "registration_id": course.registration_id,
            "deployment_id": course.deployment_id,
            "learner_id": learner_id,
            "learner_name": "Ada",
            "context_id": course.context_id,
            "context_title": "Cartography",
            "resource_link_id": None,
            "placement_id": None,
            "link_role": "badge",
            "is_copied_link": False,
            "can_view_progress": False,
            "can_configure": False,
            "is_learner": True,
            "is_read_only": False,
            "is_cookie_bound": True,
            "locale": "en",
            "return_url": None,
            "frame_origins": (),
            "deep_linking": None,
            "product": "moodle",
            "issuer": course.platform_issuer,
            "expires_at": factories.NOW + timedelta(hours=1),
            **changes,
        }
    )
