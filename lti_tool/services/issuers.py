"""The issuers of an organisation: their profiles, which one is the default, which are retired.

What is changed here counts for what is signed from then on. What was signed keeps what it carries, and stays
valid also when its issuer is retired: keys are the business of :mod:`lti_tool.services.reissuing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.lti.claims import origin_of
from lti_tool.services.form_problems import FormProblem, Problem, check_form, text_problems
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, organisations
from lti_tool.store import issuers as store
from lti_tool.store.database import Database
from lti_tool.store.issuers import IssuerRow
from lti_tool.store.pictures import PictureView

NAME_LENGTH: Final = 200
URL_LENGTH: Final = 2000
ADDRESS_LENGTH: Final = 320
DESCRIPTION_LENGTH: Final = 2000
ISSUERS: Final = 100
"""More faces than any institution signs with; each has keys in a folder of its own."""
TOKEN_ALGORITHMS: Final = ("RS256", "ES256")
"""1EdTech's validator takes no others."""

TEXTS: Final = ("name", "url", "email", "description", "terms_url")
TICKS: Final = ("names_schema", "offers_refresh")

_ADDRESS: Final = re.compile(r"[^\s@<>()\",;:\\]+@[^\s@<>()\",;:\\]+\.[^\s@<>()\",;:\\.]+")


class Accepting(Protocol):
    """Takes pictures in; :class:`~lti_tool.services.pictures.Pictures`."""

    def accept(self, organisation_id: str, content: bytes, actor: str) -> PictureView:
        """Keep a picture as ours.

        :raises RequestInvalid: FORM_INVALID with a problem of the field ``picture``.
        """


@dataclass(frozen=True)
class Issuers:
    """Changes issuers, for whoever has the right to it."""

    database: Database
    clock: Callable[[], datetime]
    pictures: Accepting

    def add(self, staff: Acting, values: Mapping[str, str]) -> str:
        """A further issuer; its id. It gets a key with its first badge.

        :param values: as of :meth:`change`.
        :raises NotAllowed: without the right. :raises RequestInvalid: FORM_INVALID.
        """
        staff.require(Permission.EDIT_ISSUERS)
        typed = _read(values)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            check_form(_problems(typed))
            if store.is_named(session, staff.organisation_id, str(typed["name"])):
                check_form(iter([Problem("name", FormProblem.NAME_TAKEN)]))
            if len(store.issuers(session, staff.organisation_id)) >= ISSUERS:
                check_form(iter([Problem("name", FormProblem.TOO_MANY, {"limit": ISSUERS})]))
            wanted = {"token_algorithm": TOKEN_ALGORITHMS[0], **_stored(typed)}
            issuer_id = store.add(session, staff.organisation_id, wanted, self.clock())
            self._record(session, staff, "issuer.created", issuer_id)
        return issuer_id

    def change(self, staff: Acting, issuer_id: str, values: Mapping[str, str]) -> None:
        """Change an issuer's profile and how it signs; badges that are signed already keep what they carry.

        :param values: as typed: ``name``, ``url``, ``email``, ``description``, ``terms_url``,
            ``token_algorithm``; ``names_schema`` and ``offers_refresh`` are ``on`` or missing.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID.
        """
        staff.require(Permission.EDIT_ISSUERS)
        typed = _read(values)
        with self.database.write() as session:
            found = self._own(session, staff, issuer_id)
            check_form(_problems(typed))
            changes = {key: value for key, value in _stored(typed).items() if getattr(found, key) != value}
            if "name" in changes and store.is_named(
                session, staff.organisation_id, changes["name"], but=issuer_id
            ):
                check_form(iter([Problem("name", FormProblem.NAME_TAKEN)]))
            if not changes:
                return
            store.change(session, staff.organisation_id, issuer_id, changes)
            self._record(session, staff, "issuer.changed", issuer_id, fields=list(changes))

    def change_picture(self, staff: Acting, issuer_id: str, content: bytes | None) -> None:
        """Give an issuer a picture, or take its picture away.

        :param content: a file as it was sent; None: no picture.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with a problem of the field ``picture``.
        """
        staff.require(Permission.EDIT_ISSUERS)
        with self.database.read() as session:
            if store.issuer(session, staff.organisation_id, issuer_id) is None:
                raise NotFound(ErrorCode.NOT_FOUND, f"issuer {issuer_id}")
        # Outside the transaction: a picture is drawn anew by a process of its own.
        picture_id = None
        if content is not None:
            picture_id = self.pictures.accept(staff.organisation_id, content, staff.actor).id
        with self.database.write() as session:
            found = self._own(session, staff, issuer_id)
            if found.picture_id == picture_id:
                return
            store.change(session, staff.organisation_id, issuer_id, {"picture_id": picture_id})
            self._record(session, staff, "issuer.picture_changed", issuer_id, picture_id=picture_id)

    def make_default(self, staff: Acting, issuer_id: str) -> None:
        """Let new badges be signed by it unless somebody chooses another; those that exist stay as they are.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT for a retired issuer.
        """
        staff.require(Permission.EDIT_ISSUERS)
        with self.database.write() as session:
            found = self._own(session, staff, issuer_id)
            if found.retired_at is not None:
                raise Conflict(ErrorCode.CONFLICT, f"issuer {issuer_id} is retired")
            if found.is_default:
                return
            store.make_default(session, staff.organisation_id, issuer_id)
            self._record(session, staff, "issuer.made_default", issuer_id)

    def retire(self, staff: Acting, issuer_id: str, *, is_retired: bool) -> None:
        """Offer an issuer for no new kind of badge, or offer it again.

        What it signed stays valid, and kinds of badges that have it already go on being signed by it.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT for the default issuer: another one has to be the default first.
        """
        staff.require(Permission.EDIT_ISSUERS)
        with self.database.write() as session:
            found = self._own(session, staff, issuer_id)
            if found.is_default and is_retired:
                raise Conflict(ErrorCode.CONFLICT, f"issuer {issuer_id} is the default")
            if (found.retired_at is not None) == is_retired:
                return
            retired_at = self.clock() if is_retired else None
            store.change(session, staff.organisation_id, issuer_id, {"retired_at": retired_at})
            self._record(session, staff, "issuer.retired" if is_retired else "issuer.restored", issuer_id)

    def _own(self, session: Session, staff: Acting, issuer_id: str) -> IssuerRow:
        organisations.lock(session, staff.organisation_id)
        found = store.issuer(session, staff.organisation_id, issuer_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"issuer {issuer_id}")
        return found

    def _record(self, session: Session, staff: Acting, event: str, issuer_id: str, **detail: Any) -> None:
        audit.record(
            session,
            staff.organisation_id,
            at=self.clock(),
            actor=staff.actor,
            action=event,
            subject_kind="issuer",
            subject_id=issuer_id,
            detail=detail,
        )


def _read(values: Mapping[str, str]) -> dict[str, str | bool]:
    typed: dict[str, str | bool] = {key: values.get(key, "").strip() for key in TEXTS}
    typed["name"] = " ".join(values.get("name", "").split())
    typed["description"] = values.get("description", "").replace("\r\n", "\n").strip()
    typed |= {key: values.get(key) == "on" for key in TICKS}
    algorithm = values.get("token_algorithm", "").strip()
    return typed | ({"token_algorithm": algorithm} if algorithm else {})


def _stored(typed: Mapping[str, str | bool]) -> dict[str, Any]:
    """What stands in the database for what was typed: nothing where nothing was."""
    return {key: value if isinstance(value, bool) else value or None for key, value in typed.items()}


def _problems(typed: Mapping[str, str | bool]) -> Iterator[Problem]:
    texts = {key: str(typed[key]) for key in TEXTS}
    yield from text_problems("name", texts["name"], NAME_LENGTH)
    for key in ("url", "terms_url"):
        unshowable = tuple(text_problems(key, texts[key], URL_LENGTH)) if texts[key] else ()
        yield from unshowable
        is_web_address = origin_of(texts[key]) is not None and texts[key].startswith("https://")
        if texts[key] and not unshowable and not is_web_address:
            yield Problem(key, FormProblem.NOT_A_URL)
    email = texts["email"]
    if len(email) > ADDRESS_LENGTH:
        yield Problem("email", FormProblem.TOO_LONG, {"limit": ADDRESS_LENGTH})
    elif email and not (email.isprintable() and _ADDRESS.fullmatch(email)):
        yield Problem("email", FormProblem.NOT_AN_ADDRESS)
    if texts["description"]:
        yield from text_problems("description", texts["description"], DESCRIPTION_LENGTH)
    if typed.get("token_algorithm", TOKEN_ALGORITHMS[0]) not in TOKEN_ALGORITHMS:
        yield Problem("token_algorithm", FormProblem.UNKNOWN_CHOICE)
