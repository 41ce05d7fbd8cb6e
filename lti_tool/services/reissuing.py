"""Signing badges anew: a key that somebody else has seen is given up, and nobody loses a badge by it.

A badge that is signed anew keeps its id, its place in the status list, what it says and whom it is about;
``validFrom`` moves forward, which makes it the current one of the two (Open Badges 3.0, equality and
comparison). Its address serves the new text from then on.

The work is a run. Every step may be repeated, so that whoever is killed loses time and nothing else: the key
is moved first, then status lists are signed, then endorsements, then credentials, by id. Who was signing with
the key at that very moment is caught by a last look some minutes later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.credentials.signing import Signer
from lti_tool.domain.staff import Permission
from lti_tool.errors import ConfigurationInvalid, ErrorCode, NotFound, RequestInvalid
from lti_tool.services import Hints
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.leases import Hold, LeaseLost, held
from lti_tool.services.signing_anew import LAST_LOOK_AFTER, Document, sign_anew
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, corrections, issuers, organisations, runs, status_lists
from lti_tool.store import credentials as credentials_store
from lti_tool.store import reissues as store
from lti_tool.store.database import Database
from lti_tool.store.reissues import Renewed, Signed
from lti_tool.store.runs import RunView
from lti_tool.telemetry import CREDENTIALS_SIGNED

BATCH: Final = 500
"""Credentials per transaction: short enough that nobody waits for the write lock."""
REASON_LENGTH: Final = 500
MOST: Final = 10_000
"""Credentials that one run is asked for by their ids."""
REMEMBERED: Final = 100
"""Ids of credentials that could not be signed anew, kept with a run."""

Say = Callable[[int, int | None], None]


class Keys(Protocol):
    """The keys of issuers."""

    def signer(self, issuer_id: str, did: str) -> Signer:
        """The active key, made if the issuer has none yet."""

    def rotate(self, issuer_id: str, now: datetime, *, is_of_tokens: bool = False) -> str:
        """Make a new active key, for badges or for tokens, and retire the one before; its key id."""

    def is_key_of(self, issuer_id: str, kid: str) -> bool:
        """Whether the issuer has, or had, this key."""

    def compromise(self, issuer_id: str, kid: str, now: datetime) -> str:
        """Publish a key no more, and make another one where it signed; the id of the key that signs now."""


@dataclass(frozen=True)
class Reissuing:
    """Gives keys up, and signs anew."""

    database: Database
    keys: Keys
    clock: Callable[[], datetime]
    urls: PublicUrls
    hints: Hints
    sign_status_list: Callable[[str], object]
    documents_now: Callable[[Sequence[str]], Mapping[str, Document]]
    """:meth:`~lti_tool.services.issuing.Issuing.documents_now`."""
    achievement_now: Callable[[str], Document]
    """:meth:`~lti_tool.services.issuing.Issuing.achievement_now`."""

    # -- keys

    def rotate(self, acting: Acting, issuer_id: str, *, is_of_tokens: bool = False) -> str:
        """A new key for what is signed from now on; what the former ones signed stays valid. Its key id.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises ConfigurationInvalid: ``key_…`` where the keys cannot be used.
        """
        acting.require(Permission.MANAGE_KEYS)
        self._own(acting, issuer_id)
        kid = self.keys.rotate(issuer_id, self.clock(), is_of_tokens=is_of_tokens)
        with self.database.write() as session:
            self._record(session, acting, "issuer.key_rotated", issuer_id, kid=kid)
        return kid

    def compromise(self, acting: Acting, issuer_id: str, kid: str) -> RunView:
        """Trust a key no more that somebody else has seen, and begin to sign anew what it signed.

        The DID document is without it when this returns: whatever it signed, the thief's and ours, verifies
        no more until :meth:`work` has signed ours anew. Repeating it joins the run that is under way.

        :raises NotAllowed: without the right.
        :raises NotFound: NOT_FOUND for no such issuer, or no such key of it.
        :raises ConfigurationInvalid: ``key_…`` where the keys cannot be used.
        """
        acting.require(Permission.MANAGE_KEYS)
        self._own(acting, issuer_id)
        if not self.keys.is_key_of(issuer_id, kid):
            raise NotFound(ErrorCode.NOT_FOUND, f"no key {kid} of issuer {issuer_id}; see lti-tool keys list")
        now = self.clock()
        with self.database.write() as session:
            organisations.lock(session, acting.organisation_id)
            under_way = (
                run.id
                for run, task in store.of_issuer(
                    session, acting.organisation_id, issuer_id, MOST, is_open=True
                )
                if task["kid"] == kid
            )
            run_id = next(under_way, None)
            if run_id is None:
                about = {"issuer_id": issuer_id, "kid": kid, "actor": acting.actor}
                run_id = store.open_run(session, acting.organisation_id, about, now)
                self._record(session, acting, "issuer.key_compromised", issuer_id, kid=kid)
        # The run stands before the key is moved: whoever dies in between leaves it to the worker.
        self.keys.compromise(issuer_id, kid, now)
        self.hints.offer("reissue", run_id=run_id)
        return self.run(acting.organisation_id, run_id)

    # -- runs

    def reissue(
        self,
        acting: Acting,
        credential_ids: Sequence[str],
        reason: str,
        *,
        as_recorded: bool = False,
    ) -> RunView:
        """Begin to sign these credentials of the organisation anew.

        :param reason: for the audit log, 1 to 500 characters.
        :param as_recorded: a correction: they say what is recorded now (profile of the issuer, results, work,
            validity) instead of what they said. Recipient, place and ``awardedDate`` stay in any case.
        :raises NotAllowed: without the right. :raises RequestInvalid: without a reason, or for too many.
        :raises NotFound: CREDENTIAL_NOT_FOUND where one is not this organisation's.
        """
        acting.require(Permission.REVOKE)
        reason, ids = reason.strip(), sorted(set(credential_ids))
        if not 1 <= len(reason) <= REASON_LENGTH or not 1 <= len(ids) <= MOST:
            raise RequestInvalid(ErrorCode.FORM_INVALID, f"a reason, and 1 to {MOST} credentials")
        with self.database.write() as session:
            known = credentials_store.known(session, acting.organisation_id, ids)
            for id_ in ids:
                if id_ not in known:
                    raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {id_}")
            about = {"ids": ids, "reason": reason, "actor": acting.actor, "as_recorded": as_recorded}
            run_id = store.open_run(session, acting.organisation_id, about, self.clock())
        self.hints.offer("reissue", run_id=run_id)
        return self.run(acting.organisation_id, run_id)

    def run(self, organisation_id: str, run_id: str) -> RunView:
        """How far a run is.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            found = runs.run(session, organisation_id, run_id)
        if found is None or found.kind != store.KIND:
            raise NotFound(ErrorCode.NOT_FOUND, f"run {run_id}")
        return found

    def newest_of(self, organisation_id: str, issuer_id: str) -> RunView | None:
        """The latest run that gave up a key of an issuer."""
        with self.database.read() as session:
            found = store.of_issuer(session, organisation_id, issuer_id, 1)
        return next((run for run, _ in found), None)

    def due(self, limit: int) -> tuple[str, ...]:
        """Ids of the runs that nobody works on though there is something to do."""
        now = self.clock()
        with self.database.read() as session:
            found = store.due(session, now, limit)
        return tuple(id_ for id_, task, step in found if step != store.LAST_LOOK or _is_ripe(task, now))

    def work(self, run_id: str, say: Say | None = None) -> None:
        """Do what is left of a run; nothing where another process does, or the run is over.

        A run that gave up a key, or that follows a correction, stays open for its last look, which is made by
        whoever works on it :data:`LAST_LOOK_AFTER` later.

        :param say: told how many of how many credentials are done.
        :raises ConfigurationInvalid: ``key_…`` where an issuer's key cannot be used; what is others' is
            signed, and the run stays open for the rest.
        """
        with held(self.database, self.clock, store.LEASE + run_id) as lease:
            if lease is None:
                return
            with self.database.write() as session:
                found = store.task(session, run_id)
                if found is None:
                    return
                organisation_id, task = found
                runs.begin(session, organisation_id, run_id, self.clock())
            _Work(self, organisation_id, run_id, lease, task, say or _say_nothing).do()

    def _own(self, acting: Acting, issuer_id: str) -> None:
        with self.database.read() as session:
            if issuers.issuer(session, acting.organisation_id, issuer_id) is None:
                raise NotFound(ErrorCode.NOT_FOUND, f"no issuer {issuer_id}; see lti-tool issuers list")

    def _record(self, session: Session, acting: Acting, action: str, issuer_id: str, **detail: Any) -> None:
        audit.record(
            session,
            acting.organisation_id,
            at=self.clock(),
            actor=acting.actor,
            action=action,
            subject_kind="issuer",
            subject_id=issuer_id,
            detail=detail,
        )


@dataclass
class _Work:
    """One process's work on one run."""

    service: Reissuing
    organisation_id: str
    run_id: str
    lease: Hold
    task: dict[str, Any]
    say: Say
    keyless: list[ConfigurationInvalid] = field(default_factory=list)
    """Why keys cannot be used."""
    waiting: list[str] = field(default_factory=list)
    """Ids of what waits for them."""
    resume_after: str | None = None
    """Where the first of these is found again."""

    def do(self) -> None:
        if "ids" in self.task:
            self._sign_listed(self.task["ids"])
            self._require_keys()
            self._finish()
            return
        sign_all = self._sign_all_of_version if "version_id" in self.task else self._sign_all_of_key
        if "phase" not in self.task:
            if "kid" in self.task:
                self._give_up_key()
            self._enter("first", "credentials")
        if self.task["phase"] == "first":
            sign_all()
            self._require_keys()
            self._enter("wait", store.LAST_LOOK)
        if self.task["phase"] == "wait" and _is_ripe(self.task, self.service.clock()):
            self.task |= {"failed": 0, "failures": []}  # those are tried once more
            self._enter("last", store.LAST_LOOK)
        if self.task["phase"] == "last":
            sign_all()
            self._require_keys()
            self._finish()

    def _require_keys(self) -> None:
        """Everything is signed that can be; what waits for a key is what is left of the run."""
        if not self.keyless:
            return
        self.task |= {"after": self.resume_after or "", "failed": 0, "failures": []}
        if "ids" in self.task:
            self.task |= {"after": "", "ids": sorted(self.waiting)}
        with self.service.database.write() as session:
            store.save(session, self.run_id, "credentials", self._done, self._total, self.task)
        raise self.keyless[0]

    def _enter(self, phase: str, step: str) -> None:
        self.task |= {"phase": phase, "after": ""}
        with self.service.database.write() as session:
            store.save(session, self.run_id, step, self._done, self._total, self.task)

    # -- the steps

    def _give_up_key(self) -> None:
        service, issuer_id = self.service, self.task["issuer_id"]
        now = service.clock()
        service.keys.compromise(issuer_id, self.task["kid"], now)
        with service.database.write() as session:
            lists = status_lists.mark_issuer_changed(session, issuer_id, now)
            store.save(session, self.run_id, "status_lists", 0, None, self.task)
        for list_id in lists:
            service.sign_status_list(list_id)
        self.task |= {"lists": len(lists), "moved_at": now.isoformat()}

    def _sign_all_of_key(self) -> None:
        """Everything that the key signed, or that holds what it signed."""
        method = f"{self.service.urls.did(self.task['issuer_id'])}#{self.task['kid']}"
        self._sign_endorsements(method)
        with self.service.database.read() as session:
            self.task["total"] = self._done + store.count_holding(session, method)
        while True:
            with self.service.database.read() as session:
                rows = store.holding(session, method, self.task["after"], BATCH)
            self._sign_batch(rows, method)
            if len(rows) < BATCH:
                return

    def _sign_all_of_version(self) -> None:
        """Every badge of a version that was corrected, about :data:`BATCH` of them in memory."""
        version_id, is_last = self.task["version_id"], self.task["phase"] == "last"
        # Who was issuing at that moment had read the former words, and says "now" by a clock of their own.
        since = datetime.fromisoformat(self.task["moved_at"]) - LAST_LOOK_AFTER if is_last else None
        with self.service.database.read() as session:
            left = corrections.carried(session, self.organisation_id, version_id).badges
        self.task["total"] = self._done if is_last else max(left, self._done)
        while True:
            with self.service.database.read() as session:
                rows = corrections.badges_of(session, version_id, self.task["after"], BATCH, not_since=since)
            if not self._sign_batch(rows, None) and len(rows) < BATCH:
                return

    def _sign_listed(self, ids: Sequence[str]) -> None:
        left = [id_ for id_ in ids if id_ > self.task.get("after", "")]
        self.task["total"] = self._done + len(left)
        for start in range(0, len(left), BATCH):
            due: Sequence[str] = left[start : start + BATCH]
            while due:
                with self.service.database.read() as session:
                    rows = store.signed(session, self.organisation_id, due)
                # What another run signed anew in between was not corrected by it.
                due = self._sign_batch(rows, None)

    def _sign_endorsements(self, method: str) -> None:
        service = self.service
        with service.database.read() as session:
            rows = store.endorsements_holding(session, self.task["issuer_id"], method)
        renewed = self._renewed(rows, _as_it_is)
        with service.database.write() as session:
            store.replace_endorsements(session, renewed)
        self.task["endorsements"] = self.task.get("endorsements", 0) + len(renewed)

    def _sign_batch(self, rows: Sequence[Signed], method: str | None) -> tuple[str, ...]:
        """Sign these anew; the ids of those that another run signed meanwhile, which are left as they are."""
        service = self.service
        change: Callable[[Document], Document | None]
        if method is not None:
            change = self._with_endorsements_now(rows, method)
        elif "version_id" in self.task:
            change = self._corrected()
        else:
            change = self._as_recorded(rows) if self.task.get("as_recorded") else _as_it_is
        renewed = self._renewed(rows, change)
        missed: tuple[str, ...] = ()
        with service.database.write() as session:
            count = store.replace(session, renewed, service.clock())
            if method is None and count < len(renewed):
                missed = store.others(session, self.organisation_id, renewed)
            if rows and not missed:
                self.task["after"] = rows[-1].place or rows[-1].id
            self.task["reissued"] = self._done + count
            store.save(session, self.run_id, "credentials", self._done, self._total, self.task)
            # Whoever finds the lease in other hands stops: that one goes on from here.
            is_ours = self.lease.renew(session)
        CREDENTIALS_SIGNED.labels("credential").inc(count)
        self.say(self._done, self._total)
        if not is_ours:
            raise LeaseLost
        return missed

    def _as_recorded(self, rows: Sequence[Signed]) -> Callable[[Document], Document]:
        """What is recorded now, about the same recipient: the salt of a badge is its own for good."""
        service = self.service
        documents = service.documents_now([row.id for row in rows])
        present = {service.urls.credential(id_): document for id_, document in documents.items()}

        def change(document: Document) -> Document:
            new, former = present.get(document["id"]), document["credentialSubject"]
            if new is None:
                return document  # its learner was erased just now: it is not kept
            kept = {name: former[name] for name in ("id", "identifier") if name in former}
            subject = {**new["credentialSubject"], **kept}
            return {**new, "validFrom": document["validFrom"], "credentialSubject": subject}

        return change

    def _corrected(self) -> Callable[[Document], Document | None]:
        """What the badge stands for as it is called and described now; all else of it stays as it was signed.

        A badge that says so already stays too; where the picture is another one, which no text tells, those
        that were signed before it was.
        """
        present = self.service.achievement_now(self.task["version_id"])
        corrected_at = datetime.fromisoformat(self.task["moved_at"]).replace(microsecond=0)

        def change(document: Document) -> Document | None:
            subject = document["credentialSubject"]
            former = subject["achievement"]
            achievement = present | {name: former[name] for name in ("endorsement",) if name in former}
            is_since = datetime.fromisoformat(document["validFrom"]) >= corrected_at
            is_said = former == achievement and document["name"] == achievement["name"]
            if is_said and (is_since or not self.task.get("is_picture_new")):
                return None
            subject = {**subject, "achievement": achievement}
            return {**document, "name": achievement["name"], "credentialSubject": subject}

        return change

    def _with_endorsements_now(self, rows: Sequence[Signed], method: str) -> Callable[[Document], Document]:
        """A badge holds the endorsements that were accepted when it was signed: each in its present text."""
        prefix = self.service.urls.endorsement("")
        named = {
            str(one.get("id", "")).removeprefix(prefix)
            for row in rows
            for one in _endorsements(json.loads(row.document))
            if _method_of(one) == method
        }
        with self.service.database.read() as session:
            texts = store.endorsements_now(session, sorted(named)) if named else {}
        present = {prefix + id_: json.loads(text) for id_, text in texts.items()}
        return lambda document: _with_endorsements(document, method, present)

    def _renewed(
        self, rows: Iterable[Signed], change: Callable[[Document], Document | None]
    ) -> list[Renewed]:
        """The texts that take the place of others; where ``change`` gives none, the text stays."""
        service = self.service
        signed = sign_anew(service.keys, service.urls, rows, change, service.clock())
        for id_, error in signed.refused.items():
            self.task["failed"] = self.task.get("failed", 0) + 1
            self.task["failures"] = [*self.task.get("failures", ()), id_][:REMEMBERED]
            self.task["error_code"] = error.code.value
        if signed.waiting:
            if self.resume_after is None:
                self.resume_after = self.task.get("after", "")
            self.keyless += signed.keyless.values()
            self.waiting += signed.waiting
        return signed.renewed

    @property
    def _done(self) -> int:
        return int(self.task.get("reissued", 0))

    @property
    def _total(self) -> int | None:
        return self.task.get("total")

    def _finish(self) -> None:
        service = self.service
        now = service.clock()
        names = ("reissued", "lists", "endorsements", "failed")
        counts = {name: self.task[name] for name in names if name in self.task}
        detail = {name: self.task[name] for name in (*names, "kid", "reason") if name in self.task}
        with service.database.write() as session:
            runs.finish(
                session,
                self.organisation_id,
                self.run_id,
                now,
                {**counts, "failures": self.task.get("failures", [])},
                error_code=self.task.get("error_code"),
            )
            audit.record(
                session,
                self.organisation_id,
                at=now,
                actor=self.task["actor"],
                action="credentials.reissued",
                **self._subject(),
                detail=detail,
            )

    def _subject(self) -> dict[str, str]:
        """What the run was about, for the audit log."""
        for kind, name in (("issuer", "issuer_id"), ("achievement_version", "version_id")):
            if name in self.task:
                return {"subject_kind": kind, "subject_id": self.task[name]}
        return {"subject_kind": "organisation", "subject_id": self.organisation_id}


def _as_it_is(document: Document) -> Document:
    return document


def _say_nothing(_done: int, _total: int | None) -> None:
    """Nobody watches."""


def _is_ripe(task: Mapping[str, Any], now: datetime) -> bool:
    """Whether the last look may be made."""
    moved_at = task.get("moved_at")
    return moved_at is not None and datetime.fromisoformat(moved_at) + LAST_LOOK_AFTER <= now


def _method_of(document: Document) -> str | None:
    """The DID URL of the key that signed it."""
    proofs = document.get("proof")
    first = proofs[0] if isinstance(proofs, list) and proofs else proofs
    return first.get("verificationMethod") if isinstance(first, dict) else None


def _endorsed_parts(document: Document) -> Iterable[Document]:
    """Where a badge may hold endorsements: of itself, of its issuer, of what it stands for."""
    achievement = document.get("credentialSubject", {}).get("achievement", {})
    return (document, document.get("issuer", {}), achievement)


def _endorsements(document: Document) -> list[Document]:
    return [one for part in _endorsed_parts(document) for one in part.get("endorsement", ())]


def _with_endorsements(document: Document, method: str, present: Mapping[str, Document]) -> Document:
    """``document`` with the present text of each endorsement that the key signed; without those that are no
    more."""
    for part in _endorsed_parts(document):
        if "endorsement" not in part:
            continue
        kept = [present.get(one["id"]) if _method_of(one) == method else one for one in part["endorsement"]]
        part["endorsement"] = [one for one in kept if one is not None]
        if not part["endorsement"]:
            del part["endorsement"]
    return document
