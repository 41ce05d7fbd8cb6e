"""From an award to a signed credential, and from a revocation to a signed status list.

Issuing is three steps that may each be the last before a crash: propose an id and a status place, build and
sign (no transaction open), keep place and text in one transaction. Nobody sees a text before its place is
kept, and repeating is a no-op, so a job that was killed is simply done again
(docs/decisions/0030-place-and-text-at-once.md).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from lti_tool.credentials.contexts import CREDENTIALS_V2, OPEN_BADGES_3_0_3
from lti_tool.credentials.did import did_document, did_web_for
from lti_tool.credentials.documents import (
    AchievementDocument,
    Evidence,
    IssuerProfile,
    RelatedAchievement,
    StatusEntry,
    SubjectIdentity,
    build_achievement,
    build_credential,
    build_profile,
)
from lti_tool.credentials.signing import Signer, sign_credential
from lti_tool.domain.validity import ends_after, no_later_than
from lti_tool.errors import ConfigurationInvalid, CredentialInvalid, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.badge_contents import (
    Shown,
    achievement_of,
    endorsements_of,
    link_iri,
    profile_of,
    shown_of,
)
from lti_tool.services.milestone_evidence import records_of
from lti_tool.store import credentials as store
from lti_tool.store import endorsements, micromodules, renewals, status_lists
from lti_tool.store.chains import VersionStep
from lti_tool.store.database import Database
from lti_tool.store.tables import new_id
from lti_tool.telemetry import CREDENTIALS_SIGNED


class IssuerKeys(Protocol):
    """The Ed25519 keys of issuers, as the keyring keeps them."""

    def signer(self, issuer_id: str, did: str) -> Signer:
        """The active key, made if the issuer has none yet."""

    def public_keys(self, issuer_id: str) -> Sequence[tuple[str, str]]:
        """``(fragment, Multikey text)`` of every key, active and retired, the active ones first."""

    def token_keys(self, issuer_id: str) -> Sequence[tuple[str, Mapping[str, str]]]:
        """``(fragment, public JWK)`` of every key for tokens, likewise."""


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


DID_MAX_AGE = 60
"""Seconds: for as long a cache that was asked before a key was given up would go on trusting it, and refuse
what its successor signs."""
_CONTEXTS = (CREDENTIALS_V2, OPEN_BADGES_3_0_3)
RECORD_MAX_AGE = 300
"""Of what is said of an achievement or an issuer."""
BATCH = 1000
"""Awards signed together and kept in one transaction: short enough that nobody waits for the write lock."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What all badges of one achievement version have in common."""

    version: micromodules.AchievementVersionView
    issuer: IssuerProfile
    achievement: AchievementDocument


_NOTHING_SHOWN = Shown()
Unsigned: TypeAlias = CredentialInvalid | ConfigurationInvalid
"""Why an award has no signed text yet."""


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
        :raises ConfigurationInvalid: when an issuer's key cannot be used; the same holds for its awards.
        """
        issued: dict[str, str] = {}
        refused: dict[str, Unsigned] = {}
        for start in range(0, len(award_ids), BATCH):
            issued.update(self._issue_batch(award_ids[start : start + BATCH], refused))
        for error in refused.values():
            raise error
        return issued

    def _issue_batch(self, award_ids: Sequence[str], refused: dict[str, Unsigned]) -> dict[str, str]:
        issued: dict[str, str] = {}
        waiting = award_ids
        while waiting:
            with self.database.read() as session:
                awards = store.awards_to_issue(session, waiting)
            unsigned = [award for award in awards if not award.is_signed]
            issued.update(_ids(award for award in awards if award.is_signed))
            placed = [award for award in unsigned if award.credential_id is not None]
            proposed = self._proposed([award for award in unsigned if award.credential_id is None])
            texts = self._texts([*placed, *itertools.chain.from_iterable(proposed.values())], refused)
            if placed:
                with self.database.write() as session:
                    store.store_documents(
                        session, [texts[id_] for id_ in _ids(placed) if id_ in texts], self.clock()
                    )
            issued.update(_ids(award for award in placed if award.award_id in texts))
            # In one order everywhere: two machines that lock two issuers never wait for each other.
            for whose, group in sorted(proposed.items()):
                signed = [award for award in group if award.award_id in texts]
                with self.database.write() as session:
                    kept = store.store_signed(
                        session, whose, [_new(award, texts[award.award_id]) for award in signed], self.clock()
                    )
                issued.update(_ids(award for award in signed if award.award_id in kept))
                CREDENTIALS_SIGNED.labels("credential").inc(len(kept))
            # Whose place somebody else got meanwhile, or whose list was full, is proposed another one.
            waiting = [
                award.award_id
                for award in unsigned
                if award.award_id not in issued and award.award_id not in refused
            ]
        return issued

    def _proposed(self, awards: Sequence[store.AwardToIssue]) -> dict[store.Whose, list[store.AwardToIssue]]:
        """Awards with an id and a place that are theirs once they are kept; those for which the open list of
        their issuer has no room are left out."""
        groups: dict[tuple[str, str, str], list[store.AwardToIssue]] = {}
        for award in awards:
            whose = (award.issuer_id, award.organisation_id, award.status_purpose)
            groups.setdefault(whose, []).append(award)
        proposed = {}
        for (issuer_id, organisation_id, purpose), group in groups.items():
            with self.database.read() as session:
                found = status_lists.propose(session, issuer_id, organisation_id, purpose, len(group))
            if found is None:
                with self.database.write() as session:
                    status_lists.open_list(session, issuer_id, organisation_id, purpose, self.clock())
                with self.database.read() as session:
                    found = status_lists.propose(session, issuer_id, organisation_id, purpose, len(group))
            if found is None:
                continue  # filled up by others in between: the next time round opens another one
            list_id, indices = found
            proposed[store.Whose(issuer_id, organisation_id, purpose, list_id)] = [
                award.placed(new_id(), list_id, index) for award, index in zip(group, indices, strict=False)
            ]
        return proposed

    def _texts(
        self, awards: Sequence[store.AwardToIssue], refused: dict[str, Unsigned]
    ) -> dict[str, store.SignedText]:
        """The signed texts of awards that have a place, by award id."""
        if not awards:
            return {}
        kinds, shown = self._said(awards)
        # Reading a key from its file takes longer than signing with it.
        signers: dict[str, Signer] = {}
        keyless: dict[str, ConfigurationInvalid] = {}
        for issuer_id in {award.issuer_id for award in awards}:
            try:
                signers[issuer_id] = self.keys.signer(issuer_id, self.urls.did(issuer_id))
            except ConfigurationInvalid as error:
                keyless[issuer_id] = error
        texts = {}
        for award in awards:
            if award.issuer_id in keyless:
                refused[award.award_id] = keyless[award.issuer_id]
                continue
            try:
                texts[award.award_id] = self._signed(
                    award,
                    kinds[award.achievement_version_id],
                    shown.get(award.award_id, _NOTHING_SHOWN),
                    signers[award.issuer_id],
                )
            except CredentialInvalid as error:
                refused[award.award_id] = error
        return texts

    def documents_now(self, credential_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What credentials would say if they were issued by what is recorded now: unsigned, by their ids.

        Those without an award, whose learner was erased, are left out. The recipient has another salt.
        """
        with self.database.read() as session:
            awards = store.awards_to_issue(session, store.awards_of(session, credential_ids))
            renewed = renewals.ends(session, [award.award_id for award in awards])
        if not awards:
            return {}
        kinds, shown = self._said(awards)
        return {
            str(award.credential_id): self._document(
                award,
                kinds[award.achievement_version_id],
                shown.get(award.award_id, _NOTHING_SHOWN),
                renewed.get(award.award_id),
            )[0]
            for award in awards
        }

    def achievement_now(self, version_id: str) -> dict[str, Any]:
        """An achievement version as badges embed it, by what is recorded now; without its endorsements.

        :raises NotFound: NOT_FOUND.
        """
        with self.database.read() as session:
            version = micromodules.achievement_versions(session, [version_id]).get(version_id)
        if version is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"achievement version {version_id}")
        return build_achievement(achievement_of(self.urls, version))

    def _said(self, awards: Sequence[store.AwardToIssue]) -> tuple[dict[str, _Kind], Mapping[str, Shown]]:
        """What badges say: of their kinds, by achievement version, and of their learners, by award."""
        issuer_ids = {award.issuer_id for award in awards}
        with self.database.read() as session:
            versions = micromodules.achievement_versions(
                session, sorted({award.achievement_version_id for award in awards})
            )
            version_of = {award.award_id: versions[award.achievement_version_id] for award in awards}
            shown = shown_of(session, self.urls, version_of)
            for award_id, record in records_of(
                session, {award.award_id: award.achievement_version_id for award in awards}
            ).items():
                shown[award_id] = replace(shown.get(award_id, _NOTHING_SHOWN), record=record)
            endorsed = endorsements.accepted(session, sorted(versions), sorted(issuer_ids))
        said = {id_: endorsements_of(views, self.clock()) for id_, views in endorsed.items()}
        kinds = {
            id_: _Kind(
                version,
                profile_of(self.urls, version, said.get(version.issuer_id, ())),
                achievement_of(self.urls, version, said.get(id_, ())),
            )
            for id_, version in versions.items()
        }
        return kinds, shown

    def _signed(
        self, award: store.AwardToIssue, kind: _Kind, shown: Shown, signer: Signer
    ) -> store.SignedText:
        document, ends_at = self._document(award, kind, shown)
        text = sign_credential(document, signer, self.clock()).text
        return store.SignedText(str(award.credential_id), text, ends_at)

    def _document(
        self, award: store.AwardToIssue, kind: _Kind, shown: Shown, renewed_until: datetime | None = None
    ) -> tuple[dict[str, Any], datetime | None]:
        """An unsigned credential, and when it ends.

        :param renewed_until: the end that it was renewed to, which only what was signed before may have been.
        """
        if award.credential_id is None or award.status_list_id is None or award.status_index is None:
            raise RuntimeError("an award is signed only after it got its place")
        url, version = self.urls.credential(award.credential_id), kind.version
        ends_at = renewed_until or ends_after(
            award.awarded_at.replace(microsecond=0), version.validity_months
        )
        if version.expires_at is not None:
            ends_at = no_later_than(ends_at, version.expires_at, award.awarded_at)
        document = build_credential(
            credential_url=url,
            issuer=kind.issuer,
            achievement=kind.achievement,
            subject=subject_of(award.email, award.sub),
            valid_from=award.awarded_at,
            valid_until=ends_at,
            awarded_at=award.met_at,
            status=StatusEntry(
                self.urls.status_list(award.status_list_id), award.status_index, award.status_purpose
            ),
            evidence=[
                shown.record or course_record(award.platform_issuer),
                *shown.evidence,
            ],
            results=shown.results,
            refresh_url=f"{url}.json" if version.issuer_offers_refresh else None,
            # As typed it may be no IRI, and then nothing could be signed.
            terms_url=link_iri(version.issuer_terms_url) if version.issuer_terms_url else None,
            names_schema=version.issuer_names_schema,
        )
        return document, ends_at

    def awards_without_credential(self, limit: int = 1000) -> tuple[str, ...]:
        """Ids of the awards that wait for their credential."""
        with self.database.read() as session:
            return store.awards_without_credential(session, limit)

    # -- what verifiers read

    def did_document(self, issuer_id: str) -> PublishedDocument | None:
        """The DID document of an issuer, with its retired keys: badges signed by them still verify."""
        with self.database.read() as session:
            if store.issuer(session, issuer_id) is None:
                return None
        document = did_document(
            self.urls.did(issuer_id), self.keys.public_keys(issuer_id), self.keys.token_keys(issuer_id)
        )
        return PublishedDocument(_json(document), "application/did+ld+json", DID_MAX_AGE)

    def host_document(self) -> PublishedDocument | None:
        """The DID document of the host itself, which signs nothing and so has no keys (decision 0029); None
        where the installation is only a part of its host."""
        did = did_web_for(self.urls.base_url)
        if did.count(":") > 2:
            return None
        return PublishedDocument(_json(did_document(did, ())), "application/did+ld+json", DID_MAX_AGE)

    def token_key(self, issuer_id: str, kid: str) -> PublishedDocument | None:
        """One public key of an issuer's tokens as a JWK (RFC 7517), for those who read no DID documents."""
        with self.database.read() as session:
            if store.issuer(session, issuer_id) is None:
                return None
        jwk = dict(self.keys.token_keys(issuer_id)).get(kid)
        return None if jwk is None else PublishedDocument(_json(jwk), "application/jwk+json", DID_MAX_AGE)

    def achievement_document(
        self,
        version: micromodules.AchievementVersionView,
        endorsed: Sequence[endorsements.EndorsementView] = (),
        others: Sequence[VersionStep] = (),
    ) -> PublishedDocument:
        """The Achievement as badges embed it, for ``Accept: application/ld+json``.

        :param others: its other versions, later ones too, which no badge can name that was signed before.
        """
        achievement = achievement_of(self.urls, version, endorsements_of(endorsed, self.clock()))
        if others:
            related = (RelatedAchievement(self.urls.achievement(one.id), str(one.number)) for one in others)
            achievement = replace(achievement, related=tuple(related))
        document = {"@context": list(_CONTEXTS), **build_achievement(achievement)}
        return PublishedDocument(_json(document), "application/ld+json", RECORD_MAX_AGE)

    def issuer_document(
        self, issuer: store.IssuerView, endorsed: Sequence[endorsements.EndorsementView] = ()
    ) -> PublishedDocument:
        """The issuer's Profile as badges embed it."""
        return PublishedDocument(
            _json({"@context": list(_CONTEXTS), **build_profile(self.profile(issuer, endorsed))}),
            "application/ld+json",
            RECORD_MAX_AGE,
        )

    def profile(
        self, issuer: store.IssuerView, endorsed: Sequence[endorsements.EndorsementView] = ()
    ) -> IssuerProfile:
        """Who signs, as what it signs says it."""
        return IssuerProfile(
            id=self.urls.did(issuer.id),
            name=issuer.name,
            url=issuer.url or self.urls.issuer(issuer.id),
            email=issuer.email,
            description=issuer.description,
            image_url=self.urls.issuer_image(issuer.id) if issuer.picture_id else None,
            endorsements=endorsements_of(endorsed, self.clock()),
        )


def _ids(awards: Iterable[store.AwardToIssue]) -> dict[str, str]:
    """Credential ids by award id."""
    return {award.award_id: award.credential_id for award in awards if award.credential_id is not None}


def _new(award: store.AwardToIssue, text: store.SignedText) -> store.NewCredential:
    if award.status_index is None:
        raise RuntimeError("an award is signed only for a place")
    return store.NewCredential(
        text.credential_id, award.award_id, award.status_index, text.text, text.ends_at
    )


@lru_cache(maxsize=256)
def course_record(platform_issuer: str) -> Evidence:
    """What every badge of a course says of how it was earned; the same for all learners of one platform."""
    return Evidence(
        name="Course record",
        narrative=(
            "The criteria were met in a course of the learning management system "
            f"{platform_issuer}, which is connected by LTI Advantage. "
            "The decision is stored with the evidence it rests on."
        ),
    )


def subject_of(email: str | None, sub: str) -> SubjectIdentity:
    """The recipient as a salted hash: of the e-mail where the LMS told one, else of the LTI user id."""
    if email:
        try:
            return SubjectIdentity.from_email(email)
        except CredentialInvalid:
            # Some platforms send "user@localhost"-like or broken addresses; the user id always works.
            return SubjectIdentity.from_lti_user_id(sub)
    return SubjectIdentity.from_lti_user_id(sub)


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
