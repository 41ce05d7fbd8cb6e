"""Is this badge real, current, and whose? Judged from the bytes alone.

Every check is a step with its own outcome; ``could_not_check`` is told apart from ``failed``. ``invalid``
means that something was checked and is false (or there is no proof), ``inconclusive`` that something could
not be checked, ``valid`` that everything that applies passed. OB 3.0 "Verification", VCDM 2.0 §7.1, Bitstring
Status List §3.2. Nothing is looked up in our own tables here: our badges are judged like anybody's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from lti_tool.credentials.checks import check_contexts, check_status, check_validity, require_plain_members
from lti_tool.credentials.contexts import CREDENTIALS_V1, CREDENTIALS_V2
from lti_tool.credentials.endorsements import (
    JUDGING_SECONDS,
    EndorsementJudgement,
    Standing,
    endorsement_subject,
    has_endorsements,
    judge_endorsements,
)
from lti_tool.credentials.errors import FetchFailed, NotACredential
from lti_tool.credentials.proofs import (
    Canonicalise,
    Fetcher,
    ProofContext,
    Refuted,
    Unchecked,
    check_proofs,
    issuer_id,
)
from lti_tool.credentials.reading import (
    EXCESSES,
    Ambiguous,
    Found,
    as_list,
    inner_credentials,
    is_open_badges_2,
    is_record,
    one_object,
    read_credential,
    strings,
)
from lti_tool.credentials.sandbox import Canonicaliser
from lti_tool.credentials.tokens import check_token

__all__ = ["CredentialSummary", "Fetcher", "NotACredential", "Outcome", "Report", "Step", "Verdict", "verify"]

BADGE_TYPES: Final = frozenset(
    {"OpenBadgeCredential", "AchievementCredential", "EndorsementCredential", "ClrCredential"}
)
RECORD_SECONDS: Final = 8.0
"""For all credentials of one record; an honest one takes 0.05 without what is fetched."""


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_CHECK = "could_not_check"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What all steps say together."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Step:
    """One check.

    :param name: ``read``, ``structure``, ``contexts``, ``proof``, ``validity``, ``status``, ``endorsements``,
        and of a learner's record ``credentials``.
    :param detail: a stable word, e.g. ``revoked``; ``params`` are values for its translated text.
    """

    name: str
    outcome: Outcome
    detail: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class ClaimedResult:
    """What a credential says that its holder reached."""

    name: str | None
    value: str
    is_percent: bool


@dataclass(frozen=True)
class ClaimedWork:
    """Work of its holder that a credential names, as evidence."""

    url: str
    """Whatever it names: a page links only to what can be followed safely."""
    name: str | None


SHOWN_WORK = 20
"""Pieces of work of a credential that a report names."""
SHOWN_RELATED = 20
"""Related achievements of a credential that a report names: any stranger may write any number of them."""


@dataclass(frozen=True)
class CredentialSummary:
    """What the credential says; claims of its author, to be shown as such unless the verdict is valid."""

    id: str | None
    name: str | None
    description: str | None
    issuer_id: str | None
    issuer_name: str | None
    issuer_url: str | None
    achievement_id: str | None
    achievement_name: str | None
    achievement_description: str | None
    criteria_narrative: str | None
    image_url: str | None
    image_caption: str | None
    skills: tuple[str, ...]
    valid_from: str | None
    valid_until: str | None
    awarded_at: str | None
    endorsed_id: str | None = None
    endorsement_comment: str | None = None
    """Of an endorsement that is judged by itself: of what, and what it says."""
    tags: tuple[str, ...] = ()
    """Free words, among them skills and, in badges of ours, credits with their unit."""
    results: tuple[ClaimedResult, ...] = ()
    work: tuple[ClaimedWork, ...] = ()
    """What it names as evidence, with an address."""
    version: str | None = None
    """Which version of what it stands for."""
    related: tuple[tuple[str, str | None], ...] = ()
    """(id, version) of what it names as related: of badges of ours, the version before."""


@dataclass(frozen=True)
class Report:
    """The verdict, every step in order, and what the credential says (None if it could not be read)."""

    verdict: Verdict
    steps: tuple[Step, ...]
    credential: CredentialSummary | None
    document: Mapping[str, Any] | None = None
    endorsements: tuple[EndorsementJudgement, ...] = ()
    """Those that it carries, if it is genuine; empty otherwise."""
    credentials: tuple[Report, ...] = ()
    """Those that a learner's record holds, if the record is genuine."""

    @property
    def is_record(self) -> bool:
        """Whether it is of a learner's record, genuine or not."""
        return any(step.name == "credentials" for step in self.steps)

    @property
    def is_over(self) -> bool:
        """Whether it is genuine in everything, and only too old."""
        wrong = [step for step in self.steps if step.outcome not in (Outcome.PASSED, Outcome.SKIPPED)]
        return [(step.name, step.detail) for step in wrong] == [("validity", "expired")]

    @property
    def doubt(self) -> Step | None:
        """The first step that keeps it from being valid: one that failed, else one that was not made."""
        for outcome in (Outcome.FAILED, Outcome.COULD_NOT_CHECK):
            for step in self.steps:
                if step.outcome is outcome:
                    return step
        return None

    def as_json(self) -> dict[str, Any]:
        """What programs are told: ``{"verdict", "steps": [{"name", "outcome", "detail"}], "credential",
        "endorsements": [{"standing", "detail", …}], "credentials": […]}``, the last of such objects."""
        return {
            "verdict": self.verdict.value,
            "steps": [
                {"name": step.name, "outcome": step.outcome.value, "detail": step.detail}
                for step in self.steps
            ],
            "credential": None if self.credential is None else asdict(self.credential),
            "endorsements": [
                {
                    "standing": one.standing.value,
                    "detail": one.detail,
                    "endorser_id": one.endorser_id,
                    "endorser_name": one.endorser_name,
                    "endorsed": one.endorsed,
                    "comment": one.comment,
                    "valid_from": one.valid_from,
                }
                for one in self.endorsements
            ],
            "credentials": [one.as_json() for one in self.credentials],
        }


_default_canonicaliser = Canonicaliser()


def verify(
    data: bytes | Mapping[str, Any],
    *,
    fetch: Fetcher,
    now: datetime,
    canonicaliser: Canonicaliser = _default_canonicaliser,
    end_known: EndKnown | None = None,
) -> Report:
    """Judge a credential.

    :param data: the file, baked picture or token as bytes, or a credential that is JSON already.
    :param fetch: gets controller documents and status lists; nothing else is ever asked of it.
    :param now: aware.
    :param end_known: asked of what is genuine and says that it is valid: when its issuer says that it ended.
    :raises NotACredential: if ``data`` is no credential at all.
    """
    try:
        if isinstance(data, bytes):
            found = read_credential(data)
        else:
            found = read_credential(json.dumps(data, ensure_ascii=True).encode())
    except Ambiguous as error:
        reason = str(error.args[0])
        outcome = Outcome.COULD_NOT_CHECK if reason in EXCESSES else Outcome.FAILED
        return _report([Step("read", outcome, reason)], None)
    remembering = _Remembering(fetch, canonicaliser.canonicalise)
    context = ProofContext(remembering, remembering.canonicalise, now)
    return _Verification(found, context, end_known=end_known).report()


EndKnown = Callable[[str, str], datetime | None]
"""When the badges of an issuer (by id) for an achievement (by id) end at the latest, as far as that is known
beside the badge; aware."""


class _Remembering:
    """Asks for each document once, and canonicalises it once: issuer and endorsers may be one, and so may
    their status lists, and all badges of a record have them in common."""

    def __init__(self, fetch: Fetcher, canonicalise: Canonicalise) -> None:
        self._fetch = fetch
        self._canonicalise = canonicalise
        self._answers: dict[tuple[str, str], bytes | str] = {}
        self._canonical: dict[str, str] = {}

    def canonicalise(self, documents: list[Mapping[str, Any]]) -> list[str]:
        texts = [json.dumps(document) for document in documents]
        missing = {
            text: document
            for text, document in zip(texts, documents, strict=True)
            if text not in self._canonical
        }
        if missing:
            found = self._canonicalise(list(missing.values()))
            self._canonical.update(zip(missing, found, strict=True))
        return [self._canonical[text] for text in texts]

    def fetch(self, url: str, accept: str) -> bytes:
        if (url, accept) not in self._answers:
            try:
                self._answers[url, accept] = self._fetch.fetch(url, accept)
            except FetchFailed as error:
                self._answers[url, accept] = error.reason
        answer = self._answers[url, accept]
        if isinstance(answer, str):
            raise FetchFailed(answer)
        return answer


class _Verification:
    """One run over one document; each step appends itself."""

    def __init__(
        self,
        found: Found,
        context: ProofContext,
        ends: float | None = None,
        end_known: EndKnown | None = None,
    ) -> None:
        """:param ends: by :func:`time.monotonic`, where it is one of the credentials of a record."""
        self._found = found
        self._document = found.document
        self._context = context
        self._ends = ends
        self._end_known = end_known
        self._is_genuine = False
        self._steps: list[Step] = []

    def report(self) -> Report:
        self._steps.append(Step("read", Outcome.PASSED, f"read_{self._found.container}"))
        if is_open_badges_2(self._document):
            self._steps.append(Step("structure", Outcome.COULD_NOT_CHECK, "open_badges_2_unsupported"))
            return _report(self._steps, self._document)
        if self._step("structure", self._structure) and self._step("contexts", self._contexts):
            genuine = self._step("proof", self._proof)
        else:
            genuine = False
            missing = not self._found.jwt and not self._document.get("proof")
            self._skip_or_fail_proof(missing)
        self._is_genuine = genuine
        self._step("validity", self._validity)
        if genuine:
            self._step("status", self._status)
        else:
            # a pointer that nobody signed says nothing, and is not worth a request
            self._steps.append(Step("status", Outcome.SKIPPED, "not_reached"))
        judged: tuple[EndorsementJudgement, ...] = ()
        if has_endorsements(self._document):
            if genuine:
                seconds = JUDGING_SECONDS if self._ends is None else self._ends - time.monotonic()
                judged = judge_endorsements(self._document, self._context, seconds)
                self._steps.append(_endorsements_step(judged))
            else:
                self._steps.append(Step("endorsements", Outcome.SKIPPED, "not_reached"))
        held: tuple[Report, ...] = ()
        if is_record(self._document):
            if genuine and self._ends is None:
                held = self._held()
                self._steps.append(_credentials_step(held))
            else:
                detail = "not_reached" if self._ends is None else "record_within_record"
                outcome = Outcome.SKIPPED if self._ends is None else Outcome.COULD_NOT_CHECK
                self._steps.append(Step("credentials", outcome, detail))
        return _report(self._steps, self._document, judged, held)

    def _held(self) -> tuple[Report, ...]:
        """Each credential of a record, judged as if it had come alone."""
        ends = time.monotonic() + RECORD_SECONDS
        reports = []
        for raw in inner_credentials(self._document):
            if time.monotonic() >= ends:
                late = Step("read", Outcome.COULD_NOT_CHECK, "took_too_long")
                reports.append(_report([late], raw if isinstance(raw, dict) else None))
                continue
            found = _found_in_record(raw)
            if found is None:
                reports.append(_report([Step("read", Outcome.FAILED, "not_a_credential")], None))
            else:
                reports.append(_Verification(found, self._context, ends, self._end_known).report())
        return tuple(reports)

    def _skip_or_fail_proof(self, missing: bool) -> None:
        if missing:
            self._steps.append(Step("proof", Outcome.FAILED, "proof_missing"))
        else:
            self._steps.append(Step("proof", Outcome.SKIPPED, "not_reached"))

    def _step(self, name: str, check: Any) -> bool:
        try:
            outcome, (detail, params) = Outcome.PASSED, check()
            if detail == "no_status":
                outcome = Outcome.SKIPPED
        except Refuted as refuted:
            outcome, detail, params = Outcome.FAILED, refuted.reason, refuted.params
        except Unchecked as unchecked:
            outcome, detail, params = Outcome.COULD_NOT_CHECK, unchecked.reason, unchecked.params
        self._steps.append(Step(name, outcome, detail, MappingProxyType(dict(params))))
        return outcome is Outcome.PASSED

    def _structure(self) -> tuple[str, dict[str, str]]:
        document = self._document
        contexts = document.get("@context")
        first = contexts[0] if isinstance(contexts, list) and contexts else contexts
        if first not in (CREDENTIALS_V1, CREDENTIALS_V2):
            raise Refuted("first_context_wrong")
        types = strings(document.get("type"))
        if "VerifiableCredential" not in types:
            raise Refuted("type_missing", type="VerifiableCredential")
        if not BADGE_TYPES.intersection(types):
            raise Refuted("not_an_open_badge")
        if not isinstance(document.get("id"), str):
            raise Refuted("id_missing")
        if issuer_id(document) is None:
            raise Refuted("issuer_missing")
        subject = document.get("credentialSubject")
        subject = subject[0] if isinstance(subject, list) and len(subject) == 1 else subject
        if not isinstance(subject, dict):
            raise Refuted("subject_missing" if not isinstance(subject, list) else "several_subjects")
        if not subject.get("id") and not subject.get("identifier"):
            raise Refuted("subject_not_identified")
        if "EndorsementCredential" in types:
            endorsement_subject(document)
        elif is_record(document):
            if "ClrSubject" not in strings(subject.get("type")):
                raise Refuted("type_missing", type="ClrSubject")
            if not inner_credentials(document):
                raise Refuted("record_empty")
        else:
            achievement = subject.get("achievement")
            if "AchievementSubject" not in strings(subject.get("type")):
                raise Refuted("type_missing", type="AchievementSubject")
            if not isinstance(achievement, dict) or "Achievement" not in strings(achievement.get("type")):
                raise Refuted("achievement_missing")
        return "structure_sound", {}

    def _contexts(self) -> tuple[str, dict[str, str]]:
        if self._found.jwt:
            require_plain_members(self._document)
            return "contexts_not_needed", {}
        check_contexts(self._document, self._context.canonicalise)
        return "contexts_known", {}

    def _proof(self) -> tuple[str, dict[str, str]]:
        if self._found.jwt:
            check_token(self._found.jwt, self._document, self._context)
            return "signature_right", {"suite": "jwt"}
        suite, method = check_proofs(self._document, self._context)
        return "signature_right", {"suite": suite, "method": method}

    def _validity(self) -> tuple[str, dict[str, str]]:
        said = check_validity(self._document, self._context.now)
        issuer, summary = issuer_id(self._document), _summary(self._document)
        if self._is_genuine and self._end_known is not None and issuer and summary.achievement_id:
            ended_at = self._end_known(issuer, summary.achievement_id)
            if ended_at is not None and ended_at <= self._context.now:
                raise Refuted("expired", date=ended_at.isoformat())
        return said

    def _status(self) -> tuple[str, dict[str, str]]:
        entries = as_list(self._document.get("credentialStatus"))
        if not entries:
            return "no_status", {}
        for entry in entries:
            check_status(entry, self._document, self._context)
        return "not_revoked", {}


def _found_in_record(raw: Any) -> Found | None:
    """A credential within a record: an object with its proof, or a token."""
    if isinstance(raw, dict):
        return Found("json", raw)
    try:
        found = read_credential(raw.encode("utf-8", "replace")) if isinstance(raw, str) else None
    except (NotACredential, Ambiguous):
        return None
    return found if found is not None and found.jwt is not None else None


def _credentials_step(held: tuple[Report, ...]) -> Step:
    """A record holds as far as every credential in it does; the first that does not is named."""
    for verdict, outcome, detail in (
        (Verdict.INVALID, Outcome.FAILED, "credential_invalid"),
        (Verdict.INCONCLUSIVE, Outcome.COULD_NOT_CHECK, "credential_unchecked"),
    ):
        doubtful = [one for one in held if one.verdict is verdict]
        if doubtful:
            said = doubtful[0].credential
            name = (said.name or said.id if said is not None else None) or ""
            params = {"name": name[:200], "count": str(len(doubtful)), "of": str(len(held))}
            return Step("credentials", outcome, detail, MappingProxyType(params))
    return Step("credentials", Outcome.PASSED, "credentials_valid", MappingProxyType({"of": str(len(held))}))


def _endorsements_step(judged: tuple[EndorsementJudgement, ...]) -> Step:
    """The worst of all endorsements; one that merely ended takes nothing from the badge."""
    for standing, outcome, detail in (
        (Standing.FALSE, Outcome.FAILED, "endorsement_false"),
        (Standing.UNCHECKED, Outcome.COULD_NOT_CHECK, "endorsement_unchecked"),
        (Standing.ENDED, Outcome.PASSED, "endorsement_ended"),
    ):
        for one in judged:
            if one.standing is standing:
                params = {"by": (one.endorser_name or one.endorser_id or "")[:200], "why": one.detail}
                return Step("endorsements", outcome, detail, MappingProxyType(params))
    return Step("endorsements", Outcome.PASSED, "endorsements_genuine")


def _report(
    steps: list[Step],
    document: Mapping[str, Any] | None,
    endorsements: tuple[EndorsementJudgement, ...] = (),
    held: tuple[Report, ...] = (),
) -> Report:
    outcomes = {step.outcome for step in steps}
    if Outcome.FAILED in outcomes:
        verdict = Verdict.INVALID
    elif Outcome.COULD_NOT_CHECK in outcomes:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.VALID
    summary = _summary(document) if document is not None else None
    return Report(verdict, tuple(steps), summary, document, endorsements, held)


def _summary(document: Mapping[str, Any]) -> CredentialSummary:
    subject = one_object(document.get("credentialSubject"))
    endorses = "EndorsementSubject" in strings(subject.get("type"))
    achievement = one_object(subject.get("achievement"))
    issuer = one_object(document.get("issuer"))
    image = one_object(document.get("image")) or one_object(achievement.get("image"))
    alignments = [one_object(entry) for entry in as_list(achievement.get("alignment"))]
    return CredentialSummary(
        id=_text(document.get("id")),
        name=_text(document.get("name")) or _text(achievement.get("name")),
        description=_text(document.get("description")),
        issuer_id=issuer_id(document),
        issuer_name=_text(issuer.get("name")),
        issuer_url=_text(issuer.get("url")),
        achievement_id=_text(achievement.get("id")),
        achievement_name=_text(achievement.get("name")),
        achievement_description=_text(achievement.get("description")),
        criteria_narrative=_text(one_object(achievement.get("criteria")).get("narrative")),
        image_url=_text(image.get("id")),
        image_caption=_text(image.get("caption")),
        skills=tuple(name for entry in alignments if (name := _text(entry.get("targetName")))),
        valid_from=_text(document.get("validFrom")) or _text(document.get("issuanceDate")),
        valid_until=_text(document.get("validUntil")) or _text(document.get("expirationDate")),
        awarded_at=_text(document.get("awardedDate")),
        endorsed_id=_text(subject.get("id")) if endorses else None,
        endorsement_comment=_text(subject.get("endorsementComment")),
        tags=tuple(strings(achievement.get("tag"))),
        results=tuple(_results(subject, achievement)),
        work=tuple(
            ClaimedWork(url, _text(entry.get("name")))
            for entry in map(one_object, as_list(document.get("evidence"))[:SHOWN_WORK])
            if (url := _text(entry.get("id")))
        ),
        version=_text(achievement.get("version")),
        related=tuple(
            (id_, _text(entry.get("version")))
            for entry in map(one_object, as_list(achievement.get("related"))[:SHOWN_RELATED])
            if (id_ := _text(entry.get("id")))
        ),
    )


def _results(subject: Mapping[str, Any], achievement: Mapping[str, Any]) -> Iterator[ClaimedResult]:
    descriptions = {
        _text(entry.get("id")): entry
        for one in as_list(achievement.get("resultDescription"))
        if (entry := one_object(one))
    }
    for result in map(one_object, as_list(subject.get("result"))):
        described = descriptions.get(_text(result.get("resultDescription")), {})
        if value := _text(result.get("value")):
            kinds = strings(described.get("resultType"))
            yield ClaimedResult(_text(described.get("name")), value, "Percent" in kinds)


def _text(value: Any) -> str | None:
    """A text, also one in a language map or value object; None where there is none, or more than one."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, dict):
        value = value.get("@value", next(iter(value.values()), None) if len(value) == 1 else None)
    return value if isinstance(value, str) else None
