"""Notifications of platforms: asked for where a launch offers them, received, kept, acted on in a job.

They only ever hasten what the next launch finds out by itself: Canvas sends each once, other platforms none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import DeploymentStatus
from lti_tool.errors import ErrorCode, LaunchRefused, LimitReached, PlatformFailed, RequestInvalid
from lti_tool.lti import notices as protocol
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.connector import PlatformConnector
from lti_tool.lti.notices import NoticeReader, PlatformNotice
from lti_tool.services import Hints
from lti_tool.store import notices as store
from lti_tool.store.database import Database
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

NOTICES_PATH: Final = "/lti/notices"
MOST_AN_HOUR: Final = 1000
"""Of one deployment. A platform that copies a faculty's courses sends hundreds; what is beyond is found at
the courses' next launches."""
LOOKED_AT_AGAIN: Final = timedelta(days=7)
"""Handlers get lost when an administrator installs the tool anew."""
PASSING: Final = timedelta(hours=1)
LASTING: Final = timedelta(days=1)
"""How long a deployment is left alone whose platform failed: what passes by itself, and what a person has to
mend."""


class CopyNotes(Protocol):
    """Takes the news that a course was copied; :class:`~lti_tool.services.copying.Copying`."""

    def note_copy(
        self, deployment_id: str, context_id_on_platform: str, origin_ids: Sequence[str], at: datetime, /
    ) -> object: ...


@dataclass(frozen=True)
class Notices:
    """Receives notifications, and looks after their handlers.

    :param handler: where platforms send them: an address of this installation.
    :param copies: who is told of copied courses.
    """

    database: Database
    connector: PlatformConnector
    reader: NoticeReader
    clock: Callable[[], datetime]
    hints: Hints
    handler: str
    copies: CopyNotes | None = None

    # -- receiving

    def receive(self, body: bytes) -> int:
        """Check and keep what a platform sent; the work is done later.

        What is good is kept also where something beside it is not.

        :returns: how many were new.
        :raises RequestInvalid: NOTICE_INVALID where the body is none; NOTICE_REFUSED where a token failed one
            of a launch's checks.
        :raises LimitReached: RATE_LIMITED where a deployment sends more than anybody needs; that
            part is not kept.
        """
        refused: LaunchRefused | LimitReached | None = None
        good: list[PlatformNotice] = []
        for token in protocol.read_envelope(body):
            try:
                good.append(self.reader.read(token))
            except LaunchRefused as error:
                refused = refused or error
        new: list[str] = []
        now = self.clock()
        if good:
            with self.database.write() as session:
                for notice in good:
                    try:
                        id_ = self._keep(session, notice, now)
                    except (LaunchRefused, LimitReached) as error:
                        refused = refused or error
                    else:
                        new += [id_] if id_ is not None else []
        for id_ in new:
            self.hints.offer("act_on_notice", notice_id=id_)
        if isinstance(refused, LimitReached):
            raise refused
        if refused is not None:
            raise RequestInvalid(
                ErrorCode.NOTICE_REFUSED, f"{refused.code.value}: {refused.detail}", reason=refused.code.value
            )
        return len(new)

    def _keep(self, session: Session, notice: PlatformNotice, now: datetime) -> str | None:
        deployment = store.deployment(session, notice.registration_id, notice.deployment_id)
        if deployment is None or deployment.status is DeploymentStatus.HELD:
            # Launches make deployments known, with a person before them; a notification makes nothing.
            raise LaunchRefused(
                ErrorCode.DEPLOYMENT_HELD, f"registration {notice.registration_id}", status=403
            )
        if deployment.status is DeploymentStatus.DISABLED:
            raise LaunchRefused(ErrorCode.DEPLOYMENT_DISABLED, f"deployment {deployment.id}", status=403)
        since = now - timedelta(hours=1)
        if store.received_since(session, deployment.id, since) >= MOST_AN_HOUR:
            raise LimitReached(
                ErrorCode.RATE_LIMITED, f"notices of deployment {deployment.id}", retry_after=3600
            )
        return store.add(
            session,
            registration_id=notice.registration_id,
            deployment_id=deployment.id,
            id_on_platform=notice.id_on_platform,
            kind=notice.kind,
            sent_at=notice.sent_at,
            received_at=now,
            body=(
                {"context_id": notice.context_id, "origin_ids": list(notice.origin_ids)}
                if notice.kind == protocol.CONTEXT_COPY
                else {}
            ),
        )

    def act(self, notice_id: str) -> str | None:
        """Do what a notification asks for; again, nothing happens.

        :returns: what came of it: ``noted``, ``heard`` (there is nothing to do), ``ignored``.
        """
        with self.database.read() as session:
            notice = store.notice(session, notice_id)
        if notice is None or notice.done_at is not None:
            return None
        outcome = "ignored"
        if notice.kind == protocol.HELLO_WORLD:
            outcome = "heard"
        elif (
            notice.kind == protocol.CONTEXT_COPY and notice.body.get("context_id") and self.copies is not None
        ):
            self.copies.note_copy(
                notice.deployment_id,
                notice.body["context_id"],
                tuple(notice.body.get("origin_ids", ())),
                # By this clock: a platform may say whatever time it likes.
                notice.received_at,
            )
            outcome = "noted"
        with self.database.write() as session:
            store.finish(session, notice_id, outcome, self.clock())
        log.info("notice_done", notice_id=notice_id, kind=notice.kind, outcome=outcome)
        return outcome

    def waiting(self, limit: int = 100) -> tuple[str, ...]:
        """Ids of the notifications to be acted on."""
        with self.database.read() as session:
            return store.waiting(session, limit)

    # -- handlers

    def handlers_due(self, limit: int = 100) -> tuple[str, ...]:
        """Deployments whose handlers are to be registered, looked at again, or taken back."""
        with self.database.read() as session:
            return store.handlers_due(session, self.clock(), limit)

    def look_after_handlers(self, deployment_id: str) -> tuple[str, ...]:
        """Have a platform send what the tool wants to be told; of a deployment that is not let in, no more.

        :returns: what it sends from now on.
        """
        with self.database.read() as session:
            plan = store.handler_plan(session, deployment_id)
        if plan is None:
            return ()
        try:
            types = self._register(plan) if plan.is_wanted else self._unregister(plan)
        except PlatformFailed as failure:
            wait = PASSING if failure.retryable else LASTING
            with self.database.write() as session:
                store.put_off(session, deployment_id, self.clock() + wait)
            log.info(
                "notice_handlers_failed",
                deployment_id=deployment_id,
                error_code=failure.code.value,
                detail=failure.detail,
            )
            return plan.notice_types
        # One that may launch again later is looked after at once.
        due_at = self.clock() + LOOKED_AT_AGAIN if plan.is_wanted else None
        with self.database.write() as session:
            store.keep_handlers(session, deployment_id, plan.notices_url, types, due_at)
        return types

    def _register(self, plan: store.HandlerPlan) -> tuple[str, ...]:
        access, url = ServiceAccess(plan.registration, plan.deployment), plan.notices_url
        handlers = protocol.read_handlers(self.connector, access, url)
        # A platform that lists what it has lists it without a handler, too (Canvas).
        wanted = [kind for kind in protocol.WANTED if not handlers or kind in handlers]
        missing = [kind for kind in wanted if handlers.get(kind) != self.handler]
        for kind in missing:
            protocol.put_handler(self.connector, access, url, kind, self.handler)
        if missing:
            handlers = protocol.read_handlers(self.connector, access, url)
        return tuple(kind for kind in wanted if handlers.get(kind) == self.handler)

    def _unregister(self, plan: store.HandlerPlan) -> tuple[str, ...]:
        access = ServiceAccess(plan.registration, plan.deployment)
        for kind in plan.notice_types:
            protocol.put_handler(self.connector, access, plan.notices_url, kind, "")
        return ()
