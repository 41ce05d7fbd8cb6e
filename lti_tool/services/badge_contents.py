"""What a badge says: out of what the tool knows, into the parts of an Open Badges document.

Of a learner a badge says nothing but that the criteria were met, unless whoever described it chose that it
shows results, or the learner's own accepted work where that is a link. Texts and files never leave.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final
from urllib.parse import quote, urlsplit

from sqlalchemy.orm import Session

from lti_tool.credentials.documents import (
    AchievementDocument,
    Alignment,
    Evidence,
    IssuerProfile,
    RelatedAchievement,
    Result,
    ResultDescription,
)
from lti_tool.credentials.linting import is_written_alike, parse_date
from lti_tool.domain.criteria import Criterion, EvidenceAccepted, MeanAtLeast, leaves
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence as Facts
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.store import grounds as store
from lti_tool.store.endorsements import EndorsementView
from lti_tool.store.grounds import AcceptedLink
from lti_tool.store.micromodules import AchievementVersionView, ResultDescriptionView

Document = dict[str, Any]

PERCENT: Final = "Percent"
"""The one result type of which the value is a share of what could be reached."""
_HUNDRED: Final = Decimal(100)
_CENT: Final = Decimal("0.01")
_PLAIN_LINK: Final = re.compile(
    r"https?://[A-Za-z0-9.\-]+(?::[0-9]+)?(?:[/?#](?:[A-Za-z0-9._~!$&'()*+,;=:@/?\-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\-]|%[0-9A-Fa-f]{2})*)?"
)
"""What every reader of RDF takes for an IRI and leaves as it is."""


def number_of(amount: Decimal | None) -> int | float | None:
    """Credits as JSON writes a number."""
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def tags_of(version: AchievementVersionView) -> tuple[str, ...]:
    """The skills in free words, and what credits are counted in: ``creditsAvailable`` is a bare number, and
    Open Badges 2.0 knows no credits at all. Each once, as RDF is a set."""
    unit = _UNITS.get(version.credit_unit or "")
    if unit is None and version.credits is not None and _signed_number(version.credits) is None:
        unit = "credits"
    worth = (f"{number_of(version.credits)} {unit}",) if unit and version.credits is not None else ()
    return tuple(dict.fromkeys((*version.skills, *worth)))


_UNITS: Final = {"ects": "ECTS", "hours": "h"}


def _signed_number(amount: Decimal | None) -> int | float | None:
    """Credits as a number that all verifiers read alike; the others (8.3) are said among the tags alone."""
    number = number_of(amount)
    return None if isinstance(number, float) and not is_written_alike(number) else number


def result_id(urls: PublicUrls, version_id: str, place: int) -> str:
    """The id of the description of an achievement's result; they are counted from 1."""
    return f"{urls.achievement(version_id)}#result-{place}"


def achievement_of(
    urls: PublicUrls, version: AchievementVersionView, endorsements: Sequence[Document] = ()
) -> AchievementDocument:
    """What a badge of this version stands for; the same for everybody who has it."""
    related: tuple[RelatedAchievement, ...] = ()
    if version.previous_id is not None:
        related = (RelatedAchievement(urls.achievement(version.previous_id), str(version.number - 1)),)
    return AchievementDocument(
        id=urls.achievement(version.id),
        name=version.name,
        description=version.description,
        criteria_narrative=version.criteria_narrative,
        criteria_url=urls.criteria(version.id),
        image_url=urls.achievement_image(version.id),
        image_caption=version.image_alt,
        achievement_type=version.achievement_type,
        tags=tags_of(version),
        alignments=tuple(
            Alignment(
                one.target_name,
                one.target_url,
                one.target_framework,
                one.target_code,
                one.target_description,
                one.target_type,
            )
            for one in version.alignments
        ),
        version=str(version.number),
        in_language=version.language,
        result_descriptions=_described(urls, version) if version.shows_results else (),
        related=related,
        credits_available=_signed_number(version.credits),
        human_code=version.human_code,
        field_of_study=version.field_of_study,
        endorsements=tuple(endorsements),
    )


def endorsements_of(views: Iterable[EndorsementView], now: datetime) -> tuple[Document, ...]:
    """Accepted endorsements as a badge carries them; those that have run out are left to be."""
    documents = (json.loads(view.document) for view in views if view.document is not None)
    return tuple(
        document
        for document in documents
        if "validUntil" not in document or parse_date(document["validUntil"]) > now
    )


def _described(urls: PublicUrls, version: AchievementVersionView) -> tuple[ResultDescription, ...]:
    return tuple(
        ResultDescription(
            result_id(urls, version.id, place),
            one.name,
            one.result_type,
            one.value_min,
            one.value_max,
            one.required_value,
        )
        for place, one in enumerate(version.result_descriptions, 1)
    )


def results_of(
    urls: PublicUrls, version: AchievementVersionView, criterion: Criterion, facts: Facts
) -> tuple[Result, ...]:
    """What the learner reached when the award was decided, by :class:`ResultDescription`; what was not known
    then is left out."""
    if not version.shows_results:
        return ()
    means = {leaf.key: leaf for leaf in leaves(criterion) if isinstance(leaf, MeanAtLeast)}
    found = []
    for place, one in enumerate(version.result_descriptions, 1):
        value = _value(one, means, facts)
        if value is not None:
            found.append(Result(result_id(urls, version.id, place), value))
    return tuple(found)


def _value(described: ResultDescriptionView, means: Mapping[str, MeanAtLeast], facts: Facts) -> str | None:
    score = facts.scores.get(described.key)
    if score is None:
        mean = means.get(described.key)
        reached = None if mean is None else evaluate(mean, facts).mean
    elif score.value is None:
        return None
    elif described.result_type != PERCENT:
        reached = score.value
    elif score.maximum > 0:
        reached = score.value * _HUNDRED / score.maximum
    else:
        return None
    if reached is None:
        return None
    # Cut off, not rounded: 59.999 is not the 60 that is asked for.
    reached = reached.quantize(_CENT, ROUND_DOWN)
    if described.value_min is not None:
        reached = max(reached, Decimal(described.value_min))
    if described.value_max is not None:
        reached = min(reached, Decimal(described.value_max))
    return f"{reached.normalize():f}"


def evidence_of(
    urls: PublicUrls,
    version: AchievementVersionView,
    criterion: Criterion,
    facts: Facts,
    links: Iterable[AcceptedLink],
) -> tuple[Evidence, ...]:
    """The learner's own work that the award rests on, where it is a link."""
    if not version.shows_evidence:
        return ()
    labels = {leaf.key: leaf.label for leaf in leaves(criterion) if isinstance(leaf, EvidenceAccepted)}
    shown: dict[str, Evidence] = {}
    for link in links:
        fact = facts.facts.get(link.evidence_key)
        if link.evidence_key in labels and fact is not None and fact.holds:
            work = _work(urls, labels[link.evidence_key], link.url)
            shown.setdefault(work.id or link.url, work)
    return tuple(shown.values())


def _work(urls: PublicUrls, label: str, url: str) -> Evidence:
    iri = link_iri(url)
    if iri is None or urlsplit(iri).hostname == urlsplit(urls.base_url).hostname:
        # An id of ours would make one thing of this evidence and, say, the achievement.
        return Evidence(name=label, narrative=url if url.isprintable() else None)
    return Evidence(id=iri, name=label)


def link_iri(url: str) -> str | None:
    """The address of a web page as an IRI that every reader of RDF takes as it is; ``None`` for what cannot
    be written so."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except ValueError:  # UnicodeError is one
        return None
    rest = url.partition("://")[2]
    start = min((at for at in (rest.find(mark) for mark in "/?#") if at >= 0), default=len(rest))
    path, mark, fragment = rest[start:].partition("#")
    path = path if path.startswith("/") else f"/{path}"
    written = f"{parts.scheme.lower()}://{host}{f':{port}' if port is not None else ''}{_quoted(path)}"
    if mark:
        written += f"#{_quoted(fragment)}"
    return written if _PLAIN_LINK.fullmatch(written) else None


def _quoted(text: str) -> str:
    stray = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(stray, safe="/?:@!$&'()*+,;=%-._~")


def profile_of(
    urls: PublicUrls, version: AchievementVersionView, endorsements: Sequence[Document] = ()
) -> IssuerProfile:
    """Who signs badges of this version."""
    return IssuerProfile(
        id=urls.did(version.issuer_id),
        name=version.issuer_name,
        url=version.issuer_url or urls.issuer(version.issuer_id),
        email=version.issuer_email,
        description=version.issuer_description,
        image_url=urls.issuer_image(version.issuer_id) if version.issuer_picture_id else None,
        endorsements=tuple(endorsements),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a badge says of its learner."""

    results: tuple[Result, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    record: Evidence | None = None
    """Of a milestone: what it rests on, in place of the course's record."""


def shown_of(
    session: Session, urls: PublicUrls, version_of: Mapping[str, AchievementVersionView]
) -> dict[str, Shown]:
    """What badges say of their learners, by award id; those that say nothing are left out.

    As many queries for one award as for all, and none where no version shows anything.

    :param version_of: the achievement version of each award.
    """
    showing = [id_ for id_, version in version_of.items() if version.shows_results or version.shows_evidence]
    if not showing:
        return {}
    grounds = store.grounds(session, showing)
    stored = store.criteria_of(
        session, sorted({ground.micromodule_version_id for ground in grounds.values()})
    )
    with_links = [id_ for id_ in showing if version_of[id_].shows_evidence]
    links = store.accepted_links(session, with_links) if with_links else {}
    criteria = {id_: parse_criteria(one) for id_, one in stored.items()}
    found = {}
    for award_id, ground in grounds.items():
        version, criterion = version_of[award_id], criteria[ground.micromodule_version_id]
        facts = parse_evidence(ground.evidence)
        found[award_id] = Shown(
            results_of(urls, version, criterion, facts),
            evidence_of(urls, version, criterion, facts, links.get(award_id, ())),
        )
    return found
