"""What is stored about a person: all of it is counted, handed out, and gone after an erasure."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from lti_tool.errors import Busy, Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.keyring import Keyring
from lti_tool.services.privacy import EXPORTS_AN_HOUR, Privacy
from lti_tool.services.public import PublicRecords
from lti_tool.store import credentials, privacy, status_lists, tables
from lti_tool.store.privacy import KINDS
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School, session_of

NAME, EMAIL, SUB = "Zdeňka Xylanderová", "zdenka.xylander@school.example", "sub-of-zdenka"
TEXT = "My essay about the river Vltava"
MARKS = (NAME, "Xylander", EMAIL, SUB, TEXT, "vltava.txt", "Bytes of Zdenka", "Zdenka")
"""No text of these may be left."""
WORDS = {"title": "About you", "badges": "Your badges"}


@dataclass(frozen=True)
class Life:
    """A learner who left something in every table, and another beside them."""

    school: School
    course: Course
    placed: Placed
    learner_id: str
    other_id: str
    credential_id: str
    session_id: str
    """Of an administrator who looks the learner up."""

    @property
    def privacy(self) -> Privacy:
        return Privacy(self.school.database, self.school.clock, self.school.urls, self.school.hints)


def add(school: School, *rows: Any) -> None:
    with school.database.write() as session:
        for row in rows:
            session.add(row)
            session.flush()


def live(school: School) -> Life:
    """Everything that can be stored about somebody, with their texts in every column that takes one."""
    database, course = school.database, school.course()
    placed = factories.placed(database, course)
    learner_id, other_id, admin_id = factories.enrol(database, course, 3)
    owned = {"organisation_id": course.organisation_id}
    school.change(
        tables.Learner, tables.Learner.id == learner_id, name=NAME, email=EMAIL, sub=SUB, last_launched_at=NOW
    )
    factories.grade(database, course, placed, [learner_id, other_id], 91)
    gate_id = factories.gate(database, course, placed, "visit", confirmed_by_id=learner_id)
    factories.gate_pass(database, course, gate_id, learner_id)
    factories.attestation(database, course, placed, "talk", learner_id, reason=f"{NAME} spoke well.")
    factories.attestation(database, course, placed, "talk", other_id, by_learner_id=learner_id)
    submission_id = factories.submission(
        database,
        course,
        placed,
        "essay",
        learner_id,
        text=TEXT,
        url="https://example.org/zdenka",
        comment=f"Well done, {NAME}!",
    )
    school.change(
        tables.SubmissionFile,
        tables.SubmissionFile.submission_id == submission_id,
        name="vltava.txt",
        content=b"Bytes of Zdenka",
    )
    factories.submission(
        database, course, placed, "essay", other_id, judged_by_id=learner_id, judged_at=NOW, state="accepted"
    )
    credential_id = school.issued(course, placed, learner_id)
    school.issued(course, placed, other_id)
    factories.launch_session(database, course, learner_id)
    session_id = factories.launch_session(
        database,
        course,
        admin_id,
        purpose="privacy",
        subject_id=learner_id,
        is_administrator=True,
        expires_at=NOW + timedelta(hours=1),
    )
    group = tables.CourseGroup(
        **owned, context_id=course.context_id, id_on_platform="g1", name="Group 1", read_at=NOW
    )
    decision = tables.Decision(
        **owned,
        placement_id=placed.placement_id,
        micromodule_version_id=placed.micromodule_version_id,
        learner_id=learner_id,
        verdict="award",
        state="met",
        finding={"reason": f"said of {NAME}"},
        evidence={"text": TEXT},
        digest="0" * 64,
        decided_at=NOW,
    )
    (badge,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == placed.achievement_version_id
    )
    milestone = tables.Milestone(
        **owned, achievement_id=badge.achievement_id, kind="explorer", status="active", created_at=NOW
    )
    add(school, group, decision, milestone)
    milestone_version = tables.MilestoneVersion(
        **owned,
        milestone_id=milestone.id,
        number=1,
        criteria={},
        achievement_version_id=badge.id,
        created_at=NOW,
    )
    add(school, milestone_version)
    add(
        school,
        tables.GroupMember(**owned, group_id=group.id, learner_id=learner_id),
        tables.Score(**owned, line_item_id=placed.line_item_id, learner_id=learner_id, state="written"),
        tables.Completion(
            **owned,
            micromodule_version_id=placed.micromodule_version_id,
            learner_id=learner_id,
            context_id=course.context_id,
            decision_id=decision.id,
            met_at=NOW,
            recorded_at=NOW,
        ),
        tables.MilestoneDecision(
            **owned,
            milestone_version_id=milestone_version.id,
            learner_id=learner_id,
            verdict="award",
            state="met",
            finding={"reason": f"said of {NAME}"},
            evidence={"text": TEXT},
            digest="0" * 64,
            decided_at=NOW,
        ),
        tables.PersonCode(
            **owned,
            learner_id=learner_id,
            code_hash="a" * 64,
            created_at=NOW,
            expires_at=NOW + timedelta(minutes=10),
        ),
        tables.PersonCode(
            **owned,
            learner_id=other_id,
            code_hash="b" * 64,
            created_at=NOW,
            expires_at=NOW + timedelta(minutes=10),
            used_at=NOW,
            used_by_id=learner_id,
        ),
        tables.Draft(
            **owned, context_id=course.context_id, learner_id=learner_id, form={"name": TEXT}, updated_at=NOW
        ),
        tables.StaffSession(
            **owned,
            token_hash="f" * 64,
            learner_id=learner_id,
            registration_id=course.registration_id,
            deployment_id=course.deployment_id,
            created_at=NOW,
            expires_at=NOW + timedelta(hours=1),
        ),
    )
    actor = f"learner:{learner_id}"
    school.change(tables.AchievementVersion, tables.AchievementVersion.id == badge.id, published_by=actor)
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
    )
    (own_award,) = school.rows(tables.Award, tables.Award.learner_id == learner_id)
    add(
        school,
        tables.VersionDraft(
            **owned,
            micromodule_id=version.micromodule_id,
            based_on_id=version.id,
            kind="version",
            content={},
            updated_by=actor,
            updated_at=NOW,
        ),
        tables.Review(
            **owned,
            context_id=course.context_id,
            placement_id=placed.placement_id,
            award_id=own_award.id,
            learner_id=learner_id,
            cause="facts",
            digest="0" * 64,
            status="kept",
            opened_at=NOW,
            question="What happened?",
            answer=TEXT,
            decided_by=actor,
            decided_at=NOW,
        ),
        tables.AchievementCare(
            **owned, micromodule_id=version.micromodule_id, reviewed_by=actor, reviewed_at=NOW
        ),
        tables.Picture(**owned, digest="0" * 64, svg="<svg/>", png=b"", uploaded_by=actor, created_at=NOW),
        tables.Framework(
            **owned, kind="esco", url="https://example.org/f", name="ESCO", imported_by=actor, imported_at=NOW
        ),
        tables.Endorsement(
            **owned,
            endorsed_issuer_id=course.issuer_id,
            endorser_name="Guild",
            endorser_url="did:web:guild.example",
            comment="They teach well.",
            status="accepted",
            offered_by=actor,
            offered_at=NOW,
            decided_by=actor,
            decided_at=NOW,
        ),
    )
    for kind in KINDS:
        # Whatever else a table lets a person have done, this one did to the rows that are there.
        person = getattr(kind.table, kind.column)
        if kind.is_kept and kind.table in (tables.Placement, tables.Gate):
            school.change(kind.table, **{kind.column: learner_id})
        with database.read() as session:
            named = actor if kind.is_actor else learner_id
            assert session.scalar(sa.select(sa.func.count()).where(person == named)), kind.name
    return Life(school, course, placed, learner_id, other_id, credential_id, session_id)


@pytest.fixture
def life(school: School) -> Life:
    return live(school)


def everything(school: School) -> dict[str, str]:
    """Every table as text."""
    found = {}
    with school.database.read() as session:
        for table in tables.Base.metadata.sorted_tables:
            # Bytes as they are, so that a text inside a file is seen.
            rows = [
                [
                    bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else value
                    for value in row
                ]
                for row in session.execute(sa.select(table))
            ]
            found[table.name] = json.dumps(rows, ensure_ascii=False, default=str)
    return found


def test_no_column_that_leads_to_a_person_is_forgotten() -> None:
    leading = {
        (table.name, column.name)
        for table in tables.Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "learners"
    }
    assert {(kind.table.__tablename__, kind.column) for kind in KINDS if not kind.is_actor} == leading
    # What names people by the text of an actor is an audit: ids alone. A new such column is to be looked at.
    known = {
        ("category_changes", "actor"),
        ("audit_events", "actor"),
        ("privacy_requests", "actor"),
        ("privacy_requests", "learner_id"),
    }
    named = {
        (table.name, column.name)
        for table in tables.Base.metadata.sorted_tables
        for column in table.columns
        if not column.foreign_keys
        and column.name in ("actor", "learner_id", "sub", "email", "person", "user_id")
    }
    others = {("learners", "sub"), ("learners", "email"), ("issuers", "email"), ("staff_members", "email")}
    assert named == known | others
    # Others hold the text of an actor under another name, and may hold a teacher's: all end in "_by".
    by = {
        (table.name, column.name)
        for table in tables.Base.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_by")
    }
    acting = {(kind.table.__tablename__, kind.column) for kind in KINDS if kind.is_actor}
    assert by == acting | {("invitations", "created_by")}, "links of registration are made by staff members"


def test_nothing_of_an_erased_person_is_left(life: Life) -> None:
    before = everything(life.school)
    assert all(any(mark in text for text in before.values()) for mark in MARKS)
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    assert all(person.counts.values()), "something of every kind"
    with capture_logs() as lines:
        counts = life.privacy.erase(person, "cli", seen=person.digest)
    assert counts == person.counts
    after = everything(life.school)
    for table, text in after.items():
        for mark in MARKS:
            assert mark not in text, (table, mark)
        if table not in ("audit_events", "privacy_requests"):
            assert life.learner_id not in text, table
    said = repr(lines)
    assert life.learner_id in said
    assert not any(mark in said for mark in MARKS)
    _look_into_the_file(life)


def _look_into_the_file(life: Life) -> None:
    """Also where SQLite keeps what it no longer needs, and in its journal."""
    database = life.school.database
    if database.dialect != "sqlite":
        return
    path = Path(str(database.url.database))
    for file in (path, path.with_name(path.name + "-wal")):
        content = file.read_bytes() if file.exists() else b""
        for mark in MARKS:
            assert mark.encode() not in content, (file.name, mark)


def test_others_keep_what_is_theirs(life: Life) -> None:
    other = life.privacy.person(life.course.organisation_id, life.other_id)
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    assert life.privacy.person(life.course.organisation_id, life.other_id).counts == other.counts
    (kept,) = life.school.rows(tables.Attestation)
    assert (kept.learner_id, kept.is_attested, kept.by_learner_id) == (life.other_id, True, None)
    (judged,) = life.school.rows(tables.Submission)
    assert (judged.state, judged.judged_by_id) == ("accepted", None)
    (placement,) = life.school.rows(tables.Placement)
    assert (placement.created_by_id, placement.published_by_id) == (None, None)
    # The administrator's session goes on, about nobody.
    (session,) = life.school.rows(tables.LaunchSession, tables.LaunchSession.id == life.session_id)
    assert session.subject_id is None


def test_a_credential_leaves_its_place_revoked_and_nothing_else(life: Life) -> None:
    school = life.school
    (before,) = school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    school.status_lists.sign(before.status_list_id)
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    (after,) = school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    assert (after.award_id, after.document, after.revocation_reason) == (None, None, None)
    assert (after.status_list_id, after.status_index) == (before.status_list_id, before.status_index)
    assert after.revoked_at is not None
    assert before.status_list_id in school.status_lists.unsigned()
    assert ("sign_status_list", {"status_list_id": before.status_list_id}) in school.hints.offered
    with school.database.read() as session:
        assert before.status_index in status_lists.set_indices(session, before.status_list_id)
    assert school.status_lists.sign(before.status_list_id)
    records = PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))
    assert records.is_erased(life.credential_id)
    assert not school.issuing.awards_without_credential()


def test_why_a_badge_was_revoked_goes_with_its_learner(life: Life) -> None:
    """A member of staff may have written a name into the reason."""
    life.school.revoking.revoke(life.credential_id, f"{NAME} had somebody else write it.", "cli")
    (before,) = life.school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    (after,) = life.school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    assert (after.revoked_at, after.revocation_reason) == (before.revoked_at, None)


def test_why_a_badge_was_paused_goes_with_its_learner_too(life: Life) -> None:
    matches = tables.Credential.id == life.credential_id
    said = {"suspension_reason": f"{NAME} is heard next week.", "suspended_at": NOW, "reissued_at": NOW}
    life.school.change(tables.Credential, matches, valid_until=NOW, **said)
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    with life.privacy.export(person, "cli", WORDS) as file, zipfile.ZipFile(file) as archive:
        (badge,) = json.loads(archive.read("data.json"))["badges"]
    times = dict.fromkeys(("suspended_at", "reissued_at", "valid_until"), NOW.isoformat())
    assert badge["credential"].items() >= (said | times).items()
    life.privacy.erase(person, "cli")
    (after,) = life.school.rows(tables.Credential, matches)
    assert (after.suspended_at, after.suspension_reason) == (None, None)
    assert (after.valid_until, after.reissued_at) == (None, None)
    assert after.revoked_at is not None


def test_what_a_teacher_brought_stays_and_says_no_more_whose_it_was(life: Life) -> None:
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    (picture,) = life.school.rows(tables.Picture)
    (framework,) = life.school.rows(tables.Framework)
    (endorsement,) = life.school.rows(tables.Endorsement)
    actors = (picture.uploaded_by, framework.imported_by, endorsement.offered_by, endorsement.decided_by)
    assert actors == ("learner:",) * 4


def test_a_signature_that_comes_too_late_is_thrown_away(life: Life) -> None:
    """The worker signed while somebody erased: what it brings must not make the badge whole again."""
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    with life.school.database.write() as session:
        signed = credentials.SignedText(life.credential_id, f"signed for {EMAIL}", None)
        credentials.store_documents(session, [signed], NOW)
    (row,) = life.school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    assert row.document is None


def test_who_comes_back_is_somebody_new(life: Life) -> None:
    life.privacy.erase(life.privacy.person(life.course.organisation_id, life.learner_id), "cli")
    add(
        life.school,
        tables.Learner(
            organisation_id=life.course.organisation_id,
            registration_id=life.course.registration_id,
            sub=SUB,
            name=NAME,
            created_at=NOW,
        ),
    )
    (again,) = life.school.rows(tables.Learner, tables.Learner.sub == SUB)
    assert again.id != life.learner_id
    person = life.privacy.person(life.course.organisation_id, again.id)
    assert not any(person.counts.values())


def test_only_what_was_seen_is_erased(life: Life) -> None:
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    factories.launch_session(life.school.database, life.course, life.learner_id)
    assert life.privacy.person(life.course.organisation_id, life.learner_id).digest == person.digest
    factories.submission(life.school.database, life.course, life.placed, "late", life.learner_id)
    with pytest.raises(Conflict):
        life.privacy.erase(person, "cli", seen=person.digest)
    assert life.school.rows(tables.Learner, tables.Learner.id == life.learner_id)
    life.privacy.erase(person, "cli")
    with pytest.raises(NotFound):
        life.privacy.erase(person, "cli")


def test_an_erasure_is_written_down_without_saying_who_it_was(life: Life) -> None:
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    life.privacy.erase(person, "staff:s1")
    ((learner_id, at, actor),) = life.privacy.erased()
    assert (learner_id, actor) == (life.learner_id, "staff:s1")
    assert not life.privacy.erased(at + timedelta(seconds=1))
    (request,) = life.school.rows(tables.PrivacyRequest)
    assert request.counts["badges"] == 1
    (event,) = life.school.rows(tables.AuditEvent, tables.AuditEvent.action == "learner.erased")
    assert (event.actor, event.subject_id, event.detail) == ("staff:s1", life.learner_id, {})


def test_an_export_says_why_a_badge_was_renewed_and_erasing_takes_that_along(life: Life) -> None:
    (credential,) = life.school.rows(tables.Credential, tables.Credential.id == life.credential_id)
    moments = {"met_at": NOW, "renewed_at": NOW, "valid_until": NOW + timedelta(days=300)}
    with life.school.database.write() as session:
        session.add(
            tables.Renewal(
                organisation_id=life.course.organisation_id,
                award_id=credential.award_id,
                number=1,
                finding={"state": "met", "reason": "score_reached"},
                evidence={"scores": {"quiz": {"value": "91"}}},
                **moments,
            )
        )
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    with life.privacy.export(person, "cli", WORDS) as file, zipfile.ZipFile(file) as archive:
        (badge,) = json.loads(archive.read("data.json"))["badges"]
    (renewal,) = badge["renewals"]
    assert renewal["evidence"] == {"scores": {"quiz": {"value": "91"}}}
    assert set(renewal) == {"met_at", "renewed_at", "valid_until", "finding", "evidence"}
    life.privacy.erase(person, "cli")
    assert life.school.rows(tables.Renewal) == []


def test_an_export_holds_everything_and_nobody_else(life: Life) -> None:
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    with (
        life.privacy.export(person, "cli", WORDS) as file,
        zipfile.ZipFile(io.BytesIO(file.read())) as archive,
    ):
        names = archive.namelist()
        data = json.loads(archive.read("data.json"))
        page = archive.read("data.html").decode()
        assert archive.read("files/001-vltava.txt") == b"Bytes of Zdenka"
        signed = json.loads(archive.read(f"credentials/{life.credential_id}.json"))
    assert len(names) == len(set(names)) == 4
    assert data["format"] == "lti-badges/personal-data"
    assert data["version"] == 1
    assert (data["person"]["name"], data["person"]["email"], data["person"]["id_on_platform"]) == (
        NAME,
        EMAIL,
        SUB,
    )
    for kind in KINDS:
        assert len(data[kind.name]) == person.counts[kind.name], kind.name
    (grade,) = data["grades"]
    assert (Decimal(grade["score"]), grade["label"]) == (Decimal(91), "Quiz 1 · mirrored")
    assert grade["course"].startswith("Course ")
    (submission,) = data["submissions"]
    assert submission["text"] == TEXT
    assert submission["files"][0] | {"sha256": ""} == {
        "name": "vltava.txt",
        "media_type": "text/plain",
        "size": 5,
        "sha256": "",
        "path": "files/001-vltava.txt",
    }
    (badge,) = data["badges"]
    assert badge["credential"]["path"] in names
    assert signed["id"].endswith(life.credential_id)
    (other,) = life.school.rows(tables.Learner, tables.Learner.id == life.other_id)
    for text in (json.dumps(data), page):
        assert other.name not in text
        assert other.email not in text
        assert life.other_id not in text
        assert "token_hash" not in text
    assert NAME in page
    assert "<h1>About you</h1>" in page
    assert "<h2>Your badges (1)</h2>" in page


def test_what_a_learner_wrote_does_not_run_in_the_readable_page(life: Life) -> None:
    life.school.change(
        tables.Submission,
        tables.Submission.learner_id == life.learner_id,
        text='<script>alert(1)</script><img src=x onerror="alert(1)">',
    )
    life.school.change(
        tables.SubmissionFile, tables.SubmissionFile.name == "vltava.txt", name="../../etc/passwd"
    )
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    with (
        life.privacy.export(person, "cli", WORDS) as file,
        zipfile.ZipFile(io.BytesIO(file.read())) as archive,
    ):
        page = archive.read("data.html").decode()
        assert "<script" not in page
        assert "<img" not in page
        assert all(not name.startswith(("/", "..")) and "/../" not in name for name in archive.namelist())
        assert "files/001-.._.._etc_passwd" in archive.namelist()


def test_nobody_of_another_organisation_is_found(life: Life) -> None:
    stranger = life.school.course()
    with pytest.raises(NotFound):
        life.privacy.person(stranger.organisation_id, life.learner_id)


def test_a_privacy_launch_is_about_one_person_of_its_own_platform(life: Life) -> None:
    admin = session_of(
        life.course,
        life.other_id,
        purpose="privacy",
        subject_id=life.learner_id,
        is_administrator=True,
        is_learner=False,
    )
    found = life.privacy.person_of_launch(admin)
    assert found is not None
    assert found.subject.name == NAME
    assert life.privacy.person_of_launch(replace(admin, subject_id=None)) is None
    stranger = life.school.course()
    foreign = (
        replace(admin, organisation_id=stranger.organisation_id),
        replace(admin, registration_id=stranger.registration_id),
    )
    assert [life.privacy.person_of_launch(session) for session in foreign] == [None, None]
    refused = (
        replace(admin, is_administrator=False),
        replace(admin, is_administrator=False, can_configure=True, can_view_progress=True),
        replace(admin, is_read_only=True),
        replace(admin, purpose="link"),
        replace(admin, purpose="review"),
    )
    for session in refused:
        with pytest.raises(NotAllowed) as error:
            life.privacy.person_of_launch(session)
        assert error.value.code is ErrorCode.PRIVACY_NOT_ALLOWED


def test_everybody_takes_their_own_data_along_and_nobody_anothers(life: Life) -> None:
    own = session_of(life.course, life.learner_id)
    with life.privacy.export_own(own, WORDS, "de") as file:
        assert zipfile.is_zipfile(io.BytesIO(file.read()))
    with pytest.raises(NotAllowed):
        life.privacy.export_own(replace(own, is_read_only=True), WORDS, "de")
    for _ in range(EXPORTS_AN_HOUR - 1):
        life.privacy.export_own(own, WORDS, "de").close()
    with pytest.raises(Busy):
        life.privacy.export_own(own, WORDS, "de")
    life.school.clock.forward(hours=1, minutes=1)
    life.privacy.export_own(own, WORDS, "de").close()
    assert {row.kind for row in life.school.rows(tables.PrivacyRequest)} == {"export"}


def test_the_roster_is_named_as_what_brings_a_person_back(life: Life) -> None:
    person = life.privacy.person(life.course.organisation_id, life.learner_id)
    assert person.active_courses == 1
    assert {"placed", "published", "confirmed", "judged"} <= set(person.kept)
    assert not set(person.kept) & set(person.erased)


def test_one_sub_may_be_several_people(life: Life) -> None:
    registration = privacy.subjects_by_sub
    with life.school.database.read() as session:
        assert len(registration(session, life.course.registration_id, SUB)) == 1
        assert not registration(session, life.school.course().registration_id, SUB)
