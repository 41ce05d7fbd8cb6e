"""From an award to a signed credential, and from a revocation to a signed status list.

Issuing is three steps that may each be the last before a crash: allocate an id and a status place, build
and sign (no transaction open), keep the text. Repeating any of them is a no-op, so a job that was killed is
simply done again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from lti_tool.credentials.contexts import CREDENTIALS_V2, OPEN_BADGES_3_0_3
from lti_tool.credentials.did import did_document, did_web_for
from lti_tool.credentials.documents import (
    AchievementDocument,
    Evidence,
    IssuerProfile,
    StatusEntry,
    SubjectIdentity,
    build_achievement,
    build_credential,
    build_profile,
)
from lti_tool.credentials.signing import Signer, sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.errors import Conflict, CredentialInvalid, ErrorCode, NotFound, RequestInvalid
from lti_tool.services import Hints
from lti_tool.store import audit, micromodules
from lti_tool.store import credentials as store
from lti_tool.store.database import Database
from lti_tool.telemetry import CREDENTIALS_SIGNED


class IssuerKeys(Protocol):
    """The Ed25519 keys of issuers, as the keyring keeps them."""

    def signer(self, issuer_id: str, did: str) -> Signer:
        """The active key, made if the issuer has none yet."""

    def public_keys(self, issuer_id: str) -> Sequence[tuple[str, str]]:
        """``(fragment, Multikey text)`` of every key, active and retired, the active ones first."""


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """A public JSON document, byte for byte as every reader gets it."""

    body: bytes
    content_type: str
    max_age: int
    """Seconds that a cache may keep it."""

    @property
    def etag(self) -> str:
        """Equal for equal bytes."""
        return hashlib.sha256(self.body).hexdigest()[:32]


DID_MAX_AGE = 3600
STATUS_MAX_AGE = 60
"""Seconds: a revocation shows everywhere within a minute."""
RECORD_MAX_AGE = 300
"""Of what is said of an achievement or an issuer."""
STATUS_RENEWAL = timedelta(days=1)
STATUS_VALIDITY = timedelta(days=7)
"""A list is signed again daily and good for a week: an installation may be down for days before its badges
can no longer be verified."""
_CONTEXTS = (CREDENTIALS_V2, OPEN_BADGES_3_0_3)
BATCH = 500
"""Awards per allocation and per storing transaction: short enough that nobody waits for the write lock."""


@dataclass(frozen=True)
class PublicUrls:
    """Every public address of this installation (docs/reference/http.md); they stand in signed documents."""

    base_url: str

    def credential(self, id_: str) -> str:
        return f"{self.base_url}/credentials/{id_}"

    def achievement(self, version_id: str) -> str:
        return f"{self.base_url}/achievements/{version_id}"

    def achievement_image(self, version_id: str, kind: str = "png") -> str:
        return f"{self.base_url}/achievements/{version_id}.{kind}"

    def issuer(self, issuer_id: str) -> str:
        return f"{self.base_url}/issuers/{issuer_id}"

    def status_list(self, id_: str) -> str:
        return f"{self.base_url}/status/{id_}"

    def hosted(self, kind: Literal["assertions", "badges", "issuers"], id_: str) -> str:
        """An Open Badges 2.0 object; its address is its identity."""
        return f"{self.base_url}/ob2/{kind}/{id_}"

    def did(self, issuer_id: str) -> str:
        """The issuer's did:web; its document is served below the issuer's page."""
        return did_web_for(self.issuer(issuer_id))


@dataclass(frozen=True)
class Issuing:
    """Signs credentials and status lists, and publishes what verifiers need."""

    database: Database
    keys: IssuerKeys
    clock: Callable[[], datetime]
    urls: PublicUrls
    hints: Hints

    # -- credentials

    def issue_credential(self, award_id: str) -> str | None:
        """Issue one award's credential; returns its id, or ``None`` where there is no such award."""
        return self.issue_for([award_id]).get(award_id)

    def issue_for(self, award_ids: Sequence[str]) -> dict[str, str]:
        """Issue the credentials of many awards; returns the credential ids by award id.

        :raises CredentialInvalid: when a text cannot be signed; the award stays and is tried again, and no
            other award waits for it.
        """
        issued: dict[str, str] = {}
        refused: list[CredentialInvalid] = []
        for start in range(0, len(award_ids), BATCH):
            issued.update(self._issue_batch(award_ids[start : start + BATCH], refused))
        if refused:
            raise refused[0]
        return issued

    def _issue_batch(self, award_ids: Sequence[str], refused: list[CredentialInvalid]) -> dict[str, str]:
        with self.database.read() as session:
            awards = store.awards_to_issue(session, award_ids)
        unplaced: dict[tuple[str, str], list[str]] = {}
        for award in awards:
            if award.credential_id is None:
                unplaced.setdefault((award.issuer_id, award.organisation_id), []).append(award.award_id)
        if unplaced:
            with self.database.write() as session:
                # In one order everywhere: two machines that lock two issuers never wait for each other.
                for (issuer_id, organisation_id), ids in sorted(unplaced.items()):
                    store.allocate(session, issuer_id, organisation_id, ids, self.clock())
            with self.database.read() as session:
                placed = store.places(session, [id_ for ids in unplaced.values() for id_ in ids])
            # One without a place was erased meanwhile.
            awards = tuple(
                replace(award, **placed[award.award_id]._asdict()) if award.award_id in placed else award
                for award in awards
                if award.credential_id is not None or award.award_id in placed
            )
        issued = {award.award_id: award.credential_id for award in awards if award.credential_id is not None}
        unsigned = [award for award in awards if not award.is_signed]
        if unsigned:
            with self.database.read() as session:
                versions = micromodules.achievement_versions(
                    session, sorted({award.achievement_version_id for award in unsigned})
                )
            # Reading a key from its file takes longer than signing with it.
            signers = {
                issuer_id: self.keys.signer(issuer_id, self.urls.did(issuer_id))
                for issuer_id in {award.issuer_id for award in unsigned}
            }
            profiles = {id_: self._issuer_profile(version) for id_, version in versions.items()}
            achievements = {id_: self._achievement(version) for id_, version in versions.items()}
            signed: list[tuple[str, str]] = []
            for award in unsigned:
                version_id = award.achievement_version_id
                try:
                    text = self._signed(
                        award, profiles[version_id], achievements[version_id], signers[award.issuer_id]
                    )
                except CredentialInvalid as error:
                    refused.append(error)
                    issued.pop(award.award_id, None)
                else:
                    signed.append((issued[award.award_id], text))
            with self.database.write() as session:
                store.store_documents(session, signed, self.clock())
            CREDENTIALS_SIGNED.labels("credential").inc(len(signed))
        return issued

    def _signed(
        self,
        award: store.AwardToIssue,
        issuer: IssuerProfile,
        achievement: AchievementDocument,
        signer: Signer,
    ) -> str:
        if award.credential_id is None or award.status_list_id is None or award.status_index is None:
            raise RuntimeError("an award is signed only after it got its place")
        document = build_credential(
            credential_url=self.urls.credential(award.credential_id),
            issuer=issuer,
            achievement=achievement,
            subject=_subject(award),
            valid_from=award.awarded_at,
            awarded_at=award.met_at,
            status=StatusEntry(self.urls.status_list(award.status_list_id), award.status_index),
            evidence=[
                Evidence(
                    name="Course record",
                    narrative=(
                        "Decided from the grades that the course's learning management system "
                        f"({award.platform_issuer}) reported through LTI Advantage services. "
                        "The decision is stored with the evidence it rests on."
                    ),
                )
            ],
        )
        return sign_credential(document, signer, self.clock()).text

    def _issuer_profile(self, version: micromodules.AchievementVersionView) -> IssuerProfile:
        return IssuerProfile(
            id=self.urls.did(version.issuer_id),
            name=version.issuer_name,
            url=version.issuer_url or self.urls.issuer(version.issuer_id),
            email=version.issuer_email,
            description=version.issuer_description,
        )

    def _achievement(self, version: micromodules.AchievementVersionView) -> AchievementDocument:
        return AchievementDocument(
            id=self.urls.achievement(version.id),
            name=version.name,
            description=version.description,
            criteria_narrative=version.criteria_narrative,
            criteria_url=self.urls.achievement(version.id),
            image_url=self.urls.achievement_image(version.id),
            image_caption=version.image_alt,
            tags=version.skills,
            version=str(version.number),
            in_language=version.language,
        )

    def awards_without_credential(self, limit: int = 1000) -> tuple[str, ...]:
        """Ids of the awards that wait for their credential."""
        with self.database.read() as session:
            return store.awards_without_credential(session, limit)

    # -- revocation and status lists

    def revoke_credential(
        self, credential_id: str, reason: str, actor: str, *, is_repeatable: bool = True
    ) -> store.CredentialView:
        """Revoke a credential for good. One that is revoked already keeps the reason it has.

        :param reason: shown on the public page and to the learner, 1 to 500 characters.
        :param actor: ``cli`` or ``staff:<id>``; kept in the audit trail.
        :param is_repeatable: whether revoking again is harmless; a person who gave a reason must learn that
            another one stands.
        :raises RequestInvalid: without a reason. :raises NotFound: no such credential.
        :raises Conflict: CONFLICT where it is revoked already, and revoking is not repeatable.
        """
        reason = reason.strip()
        if not 1 <= len(reason) <= 500:
            raise RequestInvalid(ErrorCode.FORM_INVALID, "revocation reason of 1 to 500 characters")
        now = self.clock()
        with self.database.write() as session:
            found = store.credential(session, credential_id)
            if found is None:
                raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
            if store.revoke(session, found.organisation_id, credential_id, reason, now):
                audit.record(
                    session,
                    found.organisation_id,
                    at=now,
                    actor=actor,
                    action="credential.revoked",
                    subject_kind="credential",
                    subject_id=credential_id,
                )
            elif not is_repeatable:
                raise Conflict(ErrorCode.CONFLICT, f"credential {credential_id} is revoked already")
        self.hints.offer("sign_status_list", status_list_id=found.status_list_id)
        with self.database.read() as session:
            revoked = store.credential(session, credential_id)
        if revoked is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
        return revoked

    def sign_status_list(self, status_list_id: str) -> str | None:
        """Sign a status list if a change waits for it, or it grew old; returns the current text, if any.

        The text ends its validity after :data:`STATUS_VALIDITY`: whoever kept a copy from before a revocation
        cannot go on showing it for longer than that.
        """
        while True:
            now = self.clock()
            with self.database.read() as session:
                seen = store.status_list(session, status_list_id)
                if seen is None or seen.is_current(now):
                    return None if seen is None else seen.document
                revoked = store.revoked_indices(session, status_list_id)
                issuer = store.issuer(session, seen.issuer_id)
            if issuer is None:
                return None
            did = self.urls.did(issuer.id)
            document = build_status_list_credential(
                list_url=self.urls.status_list(seen.id),
                issuer=IssuerProfile(id=did, name=issuer.name),
                bits=StatusList.of(revoked, seen.size),
                valid_from=seen.changed_at,
                valid_until=now + STATUS_VALIDITY,
                purpose=seen.purpose,
            )
            text = sign_credential(document, self.keys.signer(issuer.id, did), now).text
            with self.database.write() as session:
                is_kept = store.store_status_list(session, seen, revoked, text, now, now + STATUS_RENEWAL)
            if is_kept:
                CREDENTIALS_SIGNED.labels("status_list").inc()
                return text
            # Somebody revoked, or signed, meanwhile: look again.

    def unsigned_status_lists(self, limit: int = 100) -> tuple[str, ...]:
        """Ids of the status lists to be signed: a change waits for it, or the signed text grows old."""
        with self.database.read() as session:
            return store.unsigned_status_lists(session, self.clock(), limit)

    # -- what verifiers read

    def published(self, path: str) -> PublishedDocument | None:
        """The DID document or status list served at ``path`` of this installation; nothing else.

        ``lti_tool.services.verifying`` reads our own documents through this door too, so that judging one of
        our badges needs no request to ourselves, and still sees exactly what everybody else sees.
        """
        match path.strip("/").split("/"):
            case ["issuers", issuer_id, "did.json"]:
                return self.did_document(issuer_id)
            case ["status", status_list_id]:
                return self.status_list(status_list_id)
        return None

    def did_document(self, issuer_id: str) -> PublishedDocument | None:
        """The DID document of an issuer, with its retired keys: badges signed by them still verify."""
        with self.database.read() as session:
            if store.issuer(session, issuer_id) is None:
                return None
        document = did_document(self.urls.did(issuer_id), self.keys.public_keys(issuer_id))
        return PublishedDocument(_json(document), "application/did+ld+json", DID_MAX_AGE)

    def status_list(self, status_list_id: str) -> PublishedDocument | None:
        """A signed status list; a change that waits for its signature is signed now, never withheld."""
        text = self.sign_status_list(status_list_id)
        if text is None:
            return None
        return PublishedDocument(text.encode(), "application/vc+ld+json", STATUS_MAX_AGE)

    def achievement_document(self, version: micromodules.AchievementVersionView) -> PublishedDocument:
        """The Achievement as badges embed it, for ``Accept: application/ld+json``."""
        document = {"@context": list(_CONTEXTS), **build_achievement(self._achievement(version))}
        return PublishedDocument(_json(document), "application/ld+json", RECORD_MAX_AGE)

    def issuer_document(self, issuer: store.IssuerView) -> PublishedDocument:
        """The issuer's Profile as badges embed it."""
        profile = IssuerProfile(
            id=self.urls.did(issuer.id),
            name=issuer.name,
            url=issuer.url or self.urls.issuer(issuer.id),
            email=issuer.email,
            description=issuer.description,
        )
        return PublishedDocument(
            _json({"@context": list(_CONTEXTS), **build_profile(profile)}),
            "application/ld+json",
            RECORD_MAX_AGE,
        )


def _subject(award: store.AwardToIssue) -> SubjectIdentity:
    """The recipient as a salted hash: of the e-mail where the LMS told one, else of the LTI user id."""
    if award.email:
        try:
            return SubjectIdentity.from_email(award.email)
        except CredentialInvalid:
            # Some platforms send "user@localhost"-like or broken addresses; the user id always works.
            return SubjectIdentity.from_lti_user_id(award.sub)
    return SubjectIdentity.from_lti_user_id(award.sub)


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
