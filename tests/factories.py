"""Rows for tests, made by plain functions: each call makes things of its own, nothing is shared.

``course`` makes what a launch and a deep linking leave behind; ``placed`` puts a micromodule with one
mirrored column into it; ``enrol`` and ``grade`` play roster and gradebook.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Channel, Criterion, ScoreAtLeast
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.store import step_needs, tables
from lti_tool.store.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000b4944415478da6360000200"
    "00050001e9fadcd80000000049454e44ae426082"
)
"""The smallest picture."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Course:
    """The ids of a course and of all it hangs on."""

    organisation_id: str
    issuer_id: str
    registration_id: str
    deployment_id: str
    context_id: str
    platform_issuer: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The ids of a micromodule in a course, with its badge and its one evidence column."""

    micromodule_version_id: str
    achievement_version_id: str | None
    placement_id: str
    badge_link_key: str
    line_item_id: str
    line_item_url: str


def organisation(session: Session, now: datetime = NOW, *, name: str | None = None) -> tuple[str, str]:
    """An organisation and its issuer; their ids."""
    number = next(_numbers)
    owner = tables.Organisation(name=name or f"Organisation {number}", created_at=now)
    session.add(owner)
    session.flush()
    issuer = tables.Issuer(organisation_id=owner.id, name=f"Issuer {number}", is_default=True, created_at=now)
    session.add(issuer)
    session.flush()
    return owner.id, issuer.id


def course(database: Database, now: datetime = NOW, **context: Any) -> Course:
    """A course in an organisation, registration and deployment of its own.

    :param context: further columns of the context, such as ``sync_due_at``.
    """
    number = next(_numbers)
    issuer = f"https://lms{number}.example"
    with database.write() as session:
        organisation_id, issuer_id = organisation(session, now)
        registration = tables.Registration(
            name=f"LMS {number}",
            issuer=issuer,
            client_id=f"client-{number}",
            product="moodle",
            auth_url=f"{issuer}/auth",
            token_url=f"{issuer}/token",
            jwks_url=f"{issuer}/jwks",
            status="approved",
            created_at=now,
        )
        session.add(registration)
        session.flush()
        deployment = tables.Deployment(
            registration_id=registration.id,
            id_on_platform="1",
            organisation_id=organisation_id,
            status="approved",
            service_hosts=[f"lms{number}.example"],
            first_seen_at=now,
            approved_at=now,
        )
        session.add(deployment)
        session.flush()
        row = tables.Context(
            **{
                "organisation_id": organisation_id,
                "registration_id": registration.id,
                "deployment_id": deployment.id,
                "id_on_platform": str(number),
                "title": f"Course {number}",
                "memberships_url": f"{issuer}/memberships/{number}",
                "line_items_url": f"{issuer}/lineitems/{number}",
                "ags_scopes": [
                    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
                    "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
                ],
                "created_at": now,
                "last_launched_at": now,
                **context,
            }
        )
        session.add(row)
        session.flush()
        return Course(organisation_id, issuer_id, registration.id, deployment.id, row.id, issuer)


def courses_beside(database: Database, course: Course, count: int) -> list[Course]:
    """Further courses of the same registration, used as lately as ``course``."""
    made = []
    with database.write() as session:
        model = session.get_one(tables.Context, course.context_id)
        given = {
            column.key: getattr(model, column.key)
            for column in tables.Context.__table__.columns
            if column.key != "id"
        }
        for _ in range(count):
            row = tables.Context(**given | {"id_on_platform": str(next(_numbers))})
            session.add(row)
            session.flush()
            made.append(replace(course, context_id=row.id))
    return made


def placed(
    database: Database,
    course: Course,
    now: datetime = NOW,
    *,
    criterion: Criterion | None = None,
    has_badge: bool = True,
    status: str = "active",
) -> Placed:
    """A micromodule in the course; by default, 80 per cent in the mirrored column "quiz" earn its badge."""
    number = next(_numbers)
    criterion = criterion or ScoreAtLeast(
        key="quiz", label="Quiz 1", threshold=Decimal(80), channel=Channel.MIRROR
    )
    key = f"badge-link-{number}"
    url = f"{course.platform_issuer}/lineitems/{number}/lineitem"
    with database.write() as session:
        module = tables.Micromodule(organisation_id=course.organisation_id, created_at=now)
        session.add(module)
        session.flush()
        achievement_version_id = _achievement(session, course, module.id, number, now) if has_badge else None
        version = tables.MicromoduleVersion(
            organisation_id=course.organisation_id,
            micromodule_id=module.id,
            number=1,
            name=f"Micromodule {number}",
            description="What it is about.",
            skills=["Writing tests"],
            criteria=dump_criteria(criterion),
            achievement_version_id=achievement_version_id,
            created_at=now,
        )
        session.add(version)
        session.flush()
        step_needs.note(session, course.organisation_id, module.id, version.criteria)
        placement = tables.Placement(
            organisation_id=course.organisation_id,
            context_id=course.context_id,
            badge_link_key=key,
            micromodule_version_id=version.id,
            status=status,
            created_at=now,
            activated_at=None if status == "draft" else now,
            published_at=None if status == "draft" else now,
        )
        session.add(placement)
        if status == "draft":
            # The platform kept the link: it was launched once.
            session.add(
                tables.ResourceLink(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    id_on_platform=key,
                    badge_link_key=key,
                    role="badge",
                    created_at=now,
                )
            )
        session.flush()
        column = tables.LineItem(
            organisation_id=course.organisation_id,
            context_id=course.context_id,
            placement_id=placement.id,
            tag="mirror",
            evidence_key="quiz",
            label="Quiz 1 · mirrored",
            id_on_platform=url,
            score_maximum=Decimal(100),
            created_at=now,
            created_on_platform_at=now,
        )
        session.add(column)
        session.flush()
        return Placed(version.id, achievement_version_id, placement.id, key, column.id, url)


def _achievement(session: Session, course: Course, micromodule_id: str, number: int, now: datetime) -> str:
    achievement = tables.Achievement(
        organisation_id=course.organisation_id,
        issuer_id=course.issuer_id,
        micromodule_id=micromodule_id,
        created_at=now,
    )
    session.add(achievement)
    session.flush()
    version = tables.AchievementVersion(
        organisation_id=course.organisation_id,
        achievement_id=achievement.id,
        number=1,
        name=f"Badge {number}",
        description="What it stands for.",
        criteria_narrative="At least 80 % in Quiz 1.",
        skills=["Writing tests"],
        image_alt="A round badge",
        artwork={},
        image_svg="<svg xmlns='http://www.w3.org/2000/svg'><path/></svg>",
        image_png=PNG,
        created_at=now,
    )
    session.add(version)
    session.flush()
    return version.id


def column(
    database: Database, course: Course, placed: Placed, key: str, now: datetime = NOW, **values: Any
) -> str:
    """A further column, an attested one named after its key unless ``values`` say else; its id."""
    with database.write() as session:
        row = tables.LineItem(
            **{
                "organisation_id": course.organisation_id,
                "context_id": course.context_id,
                "placement_id": placed.placement_id,
                "tag": "attest",
                "evidence_key": key,
                "label": key.title(),
                "score_maximum": Decimal(100),
                "created_at": now,
                **values,
            }
        )
        session.add(row)
    return row.id


def enrol(
    database: Database, course: Course, count: int = 1, now: datetime = NOW, *, proof: str = "launch"
) -> list[str]:
    """Learners of the course, who launched it (or are known as ``proof`` says); their ids."""
    with database.write() as session:
        ids = []
        for _ in range(count):
            number = next(_numbers)
            learner = tables.Learner(
                organisation_id=course.organisation_id,
                registration_id=course.registration_id,
                sub=str(number),
                name=f"Learner {number}",
                email=f"learner{number}@school.example",
                created_at=now,
            )
            session.add(learner)
            session.flush()
            session.add(
                tables.Membership(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    learner_id=learner.id,
                    is_learner=True,
                    learner_proof=proof,
                    seen_at=now,
                )
            )
            ids.append(learner.id)
    return ids


def grade(
    database: Database,
    course: Course,
    placed: Placed,
    learner_ids: Sequence[str],
    score: Decimal | int | None,
    now: datetime = NOW,
) -> None:
    """The column was read whole, and these learners have this score of 100 in it."""
    with database.write() as session:
        session.execute(
            sa.update(tables.LineItem)
            .where(tables.LineItem.id == placed.line_item_id)
            .values(read_at=now, is_complete=True)
        )
        session.add_all(
            tables.Result(
                organisation_id=course.organisation_id,
                line_item_id=placed.line_item_id,
                learner_id=learner_id,
                score=None if score is None else Decimal(score),
                maximum=Decimal(100),
                graded_at=now,
                read_at=now,
            )
            for learner_id in learner_ids
        )


def award(database: Database, course: Course, placed: Placed, learner_id: str, now: datetime = NOW) -> str:
    """An award without its credential; its id."""
    with database.write() as session:
        row = tables.Award(
            organisation_id=course.organisation_id,
            achievement_version_id=placed.achievement_version_id,
            learner_id=learner_id,
            context_id=course.context_id,
            met_at=now,
            awarded_at=now,
        )
        session.add(row)
    return row.id


def credential(database: Database, course: Course, award_id: str, now: datetime = NOW) -> str:
    """An award's credential that has its place in a status list and waits for its signature; its id."""
    with database.write() as session:
        status_list = tables.StatusList(
            organisation_id=course.organisation_id,
            issuer_id=course.issuer_id,
            purpose="revocation",
            size=131_072,
            changed_at=now,
        )
        session.add(status_list)
        session.flush()
        row = tables.Credential(
            organisation_id=course.organisation_id,
            award_id=award_id,
            issuer_id=course.issuer_id,
            status_list_id=status_list.id,
            status_index=next(_numbers),
        )
        session.add(row)
    return row.id


def gate(
    database: Database, course: Course, placed: Placed, key: str, now: datetime = NOW, **values: Any
) -> str:
    """A gate that an instructor confirmed and that was read whole; its id."""
    with database.write() as session:
        row = tables.Gate(
            **{
                "organisation_id": course.organisation_id,
                "context_id": course.context_id,
                "placement_id": placed.placement_id,
                "evidence_key": key,
                "label": key.title(),
                "link_key": f"gate-link-{next(_numbers)}",
                "state": "confirmed",
                "confirmed_at": now,
                "read_at": now,
                "is_complete": True,
                **values,
            }
        )
        session.add(row)
    return row.id


def gate_pass(
    database: Database, course: Course, gate_id: str, learner_id: str, now: datetime = NOW, **values: Any
) -> str:
    """A learner whom the gate's roster lists; the id of the row."""
    with database.write() as session:
        row = tables.GatePass(
            **{
                "organisation_id": course.organisation_id,
                "gate_id": gate_id,
                "learner_id": learner_id,
                "is_passed": True,
                "since": now,
                "read_at": now,
                "source": "roster",
                **values,
            }
        )
        session.add(row)
    return row.id


def attestation(
    database: Database,
    course: Course,
    placed: Placed,
    key: str,
    learner_id: str,
    now: datetime = NOW,
    **values: Any,
) -> str:
    """An instructor's word that the learner did it; its id."""
    with database.write() as session:
        row = tables.Attestation(
            **{
                "organisation_id": course.organisation_id,
                "placement_id": placed.placement_id,
                "evidence_key": key,
                "learner_id": learner_id,
                "is_attested": True,
                "reason": "I was there.",
                "at": now,
                **values,
            }
        )
        session.add(row)
    return row.id


def submission(
    database: Database,
    course: Course,
    placed: Placed,
    key: str,
    learner_id: str,
    now: datetime = NOW,
    **values: Any,
) -> str:
    """What a learner handed in, a text and a file, waiting for its judgement; its id."""
    with database.write() as session:
        row = tables.Submission(
            **{
                "organisation_id": course.organisation_id,
                "context_id": course.context_id,
                "placement_id": placed.placement_id,
                "evidence_key": key,
                "learner_id": learner_id,
                "number": 1,
                "state": "submitted",
                "text": "What I learnt.",
                "submitted_at": now,
                **values,
            }
        )
        session.add(row)
        session.flush()
        session.add(
            tables.SubmissionFile(
                organisation_id=course.organisation_id,
                submission_id=row.id,
                name="essay.txt",
                media_type="text/plain",
                size=5,
                sha256="0" * 64,
                content=b"Essay",
            )
        )
    return row.id


def launch_session(database: Database, course: Course, learner_id: str, **changes: Any) -> str:
    """A learner's launch session of an hour; its id."""
    number = next(_numbers)
    with database.write() as session:
        row = tables.LaunchSession(
            **{
                "token_hash": f"{number:064x}",
                "organisation_id": course.organisation_id,
                "registration_id": course.registration_id,
                "deployment_id": course.deployment_id,
                "learner_id": learner_id,
                "context_id": course.context_id,
                "can_view_progress": False,
                "can_configure": False,
                "is_learner": True,
                "created_at": NOW,
                "expires_at": NOW,
                **changes,
            }
        )
        session.add(row)
    return row.id


def rule_fields(number: int, **parts: str) -> dict[str, str]:
    """What the micromodule form sends for one rule; a mirrored quiz with 60 percent unless said otherwise."""
    values = {
        "label": f"Quiz {number}",
        "channel": "mirror",
        "threshold": "60",
        "unit": "percent",
        "purpose": "summative",
        "group": "",
        **parts,
    }
    return {f"criteria-{number}-{part}": value for part, value in values.items()}
