"""Uploaded pictures and an organisation's colours, on both databases: by right, its own only, on record."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lti_tool.credentials.baking import unbake_png, unbake_svg
from lti_tool.credentials.errors import ImageInvalid
from lti_tool.credentials.uploads import Upload, sanitise
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.keyring import Keyring
from lti_tool.services import pictures as limits
from lti_tool.services.editing import Editing
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.pictures import Pictures
from lti_tool.services.public import PublicRecords
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.integration.services.office import Office
from tests.integration.services.school import School
from tests.integration.services.test_configuring import FIELDS, configuring, narrate, teacher

DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="alert(1)">'
    b'<path fill="#00ff00" d="M1 1h7v7h-7z"/></svg>'
)
SMALL = Upload('<svg xmlns="http://www.w3.org/2000/svg"/>', b"\x89PNG")


def pictures(school: School, sanitised: Any = sanitise) -> Pictures:
    return Pictures(school.database, school.clock, sanitised)


def refused(act: Any, *arguments: Any) -> FormProblem:
    with pytest.raises(RequestInvalid) as caught:
        act(*arguments)
    assert caught.value.code is ErrorCode.FORM_INVALID
    (problem,) = caught.value.params["problems"]  # type: ignore[misc]
    code: FormProblem = problem.code
    return code


# -- uploading


def test_a_picture_is_kept_as_ours_once(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    kept = pictures(school).upload(session, DRAWING)
    assert "alert" not in kept.svg
    assert kept.uploaded_by == f"learner:{session.learner_id}"
    again = pictures(school).accept(course.organisation_id, DRAWING, "staff:somebody")
    assert again == kept
    (row,) = school.rows(tables.Picture)
    assert (row.svg, row.png) == (kept.svg, kept.png)
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "picture.uploaded")
    assert (event.actor, event.subject_id) == (kept.uploaded_by, kept.id)


def test_two_organisations_share_nothing(school: School) -> None:
    one, other = school.course(), school.course()
    service = pictures(school)
    first = service.accept(one.organisation_id, DRAWING, "staff:a")
    second = service.accept(other.organisation_id, DRAWING, "staff:b")
    assert first.id != second.id
    assert service.find(one.organisation_id, first.id) == first
    assert service.find(other.organisation_id, first.id) is None


@pytest.mark.parametrize(
    "changes",
    [{"can_configure": False}, {"is_read_only": True}, {"context_id": None}],
)
def test_who_may_not_configure_uploads_nothing(changes: dict[str, Any], small_school: School) -> None:
    session = replace(teacher(small_school, small_school.course()), **changes)
    with pytest.raises(NotAllowed):
        pictures(small_school).upload(session, DRAWING)
    assert small_school.rows(tables.Picture) == []


@pytest.mark.parametrize("reason", limits._PROBLEMS)
def test_each_refusal_has_its_problem(reason: str, small_school: School) -> None:
    def refuse(_content: bytes) -> Upload:
        raise ImageInvalid(reason)

    service = pictures(small_school, refuse)
    course = small_school.course()
    assert refused(service.accept, course.organisation_id, b"", "staff:a") is limits._PROBLEMS[reason]
    assert small_school.rows(tables.Picture) == []


def test_a_stranger_reason_is_a_broken_file(small_school: School) -> None:
    course = small_school.course()
    content = b'<svg viewBox="0 0 9 9">' + 200 * b"<g>" + 200 * b"</g>" + b"</svg>"
    assert refused(pictures(small_school).accept, course.organisation_id, content, "staff:a") in FormProblem


def test_nobody_fills_the_database(small_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLOADS_A_DAY", 2)
    numbers = iter(range(9))
    service = pictures(small_school, lambda _: replace(SMALL, svg=f"<svg n='{next(numbers)}'/>"))
    organisation_id = small_school.course().organisation_id
    for _ in range(2):
        service.accept(organisation_id, b"x", "staff:a")
    assert refused(service.accept, organisation_id, b"x", "staff:a") is FormProblem.PICTURE_TOO_MANY
    service.accept(organisation_id, b"x", "staff:b")
    small_school.clock.forward(days=1, seconds=1)
    service.accept(organisation_id, b"x", "staff:a")


# -- badges with it


def with_picture(session: SessionView, picture_id: str, alt: str = "A green square") -> MicromoduleForm:
    return MicromoduleForm.from_fields({**FIELDS, "picture_id": picture_id, "image_alt": alt})


def test_a_badge_has_it_and_bakes_it(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    picture = pictures(school).upload(session, DRAWING)
    form = with_picture(session, picture.id)
    configuring(school).describe(session, form, narrate, language="en")
    (version,) = school.rows(tables.AchievementVersion)
    assert version.artwork == {"picture_id": picture.id, "alt": "A green square"}
    assert version.image_alt == "A green square"
    assert "<title>A green square</title>" in version.image_svg
    assert version.image_png == picture.png

    (placement,) = school.rows(tables.Placement)
    (learner_id,) = factories.enrol(school.database, course)
    with school.database.write() as writing:
        award = tables.Award(
            organisation_id=course.organisation_id,
            achievement_version_id=version.id,
            learner_id=learner_id,
            context_id=course.context_id,
            met_at=factories.NOW,
            awarded_at=factories.NOW,
        )
        writing.add(award)
    credential_id = school.issuing.issue_credential(award.id)
    assert credential_id is not None
    with school.database.write() as writing:
        stored = writing.get(tables.Credential, credential_id)
        assert stored is not None
        stored.is_public = True
    public = PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))
    png, svg = public.baked_png(credential_id), public.baked_svg(credential_id)
    assert png is not None
    assert svg is not None
    assert Image.open(io.BytesIO(png)).convert("RGBA").getpixel((256, 256)) == (0, 255, 0, 255)
    assert unbake_png(png) == unbake_svg(svg)
    assert credential_id in unbake_png(png)
    assert placement.status == "draft"


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
def test_a_picture_of_others_cannot_be_taken(whose: str, school: School) -> None:
    session = teacher(school, school.course())
    picture_id = "8" * 32
    if whose == "another's":
        picture_id = pictures(school).accept(school.course().organisation_id, DRAWING, "staff:b").id
    with pytest.raises(RequestInvalid) as caught:
        configuring(school).describe(session, with_picture(session, picture_id), narrate, language="en")
    (problem,) = caught.value.params["problems"]  # type: ignore[misc]
    assert (problem.field, problem.code) == ("picture", FormProblem.PICTURE_MISSING)
    assert school.rows(tables.AchievementVersion) == []


@pytest.mark.parametrize("alt", ["", " ", "\u2066", "a\ufffeb", "\ue000"])
def test_without_words_for_those_who_cannot_see_it_there_is_no_badge(alt: str, small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    picture = pictures(small_school).upload(session, DRAWING)
    with pytest.raises(RequestInvalid) as caught:
        configuring(small_school).describe(
            session, with_picture(session, picture.id, alt), narrate, language="en"
        )
    (problem,) = caught.value.params["problems"]  # type: ignore[misc]
    assert problem.field == "image_alt"


def test_a_draft_that_is_changed_keeps_it(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    picture = pictures(school).upload(session, DRAWING)
    form = with_picture(session, picture.id, alt=FIELDS["name"])
    configuring(school).describe(session, form, narrate, language="en")
    (placement,) = school.rows(tables.Placement)
    editing = Editing(school.database, school.clock)
    view = editing.open(session, placement.id)
    assert (view.form.picture_id, view.form.image_alt, view.form.shape) == (picture.id, FIELDS["name"], "")
    assert not view.is_unsaved
    changed = replace(view.form, name="Reading sea charts")
    editing.save(session, placement.id, changed, narrate, language="en", revision=view.revision)
    (version,) = school.rows(tables.AchievementVersion)
    assert version.artwork["picture_id"] == picture.id
    assert version.image_png == picture.png
    composed = MicromoduleForm.from_fields({**changed.to_fields(), **FIELDS, "picture_id": ""})
    view = editing.open(session, placement.id)
    editing.save(session, placement.id, composed, narrate, language="en", revision=view.revision)
    (version,) = school.rows(tables.AchievementVersion)
    assert version.artwork["icon"] == FIELDS["icon"]
    assert version.image_png != picture.png


# -- colours


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


def test_colours_are_kept_in_their_order(office: Office) -> None:
    service = pictures(office.school)
    staff = office.ours.staff(StaffRole.EDITOR)
    assert service.palette(office.ours.id) == ()
    assert service.set_palette(staff, " #ABC\n#0b6a5d, #aabbcc;\r\n") == ("#aabbcc", "#0b6a5d")
    service.set_palette(staff, "#aabbcc #0b6a5d")
    assert service.palette(office.ours.id) == ("#aabbcc", "#0b6a5d")
    assert service.palette(office.theirs.id) == ()
    assert office.actions(office.ours).count("organisation.palette_changed") == 1
    assert service.set_palette(staff, "") == ()


@pytest.mark.parametrize("role", [StaffRole.REVIEWER, StaffRole.READER])
def test_colours_are_for_those_who_make_badges(role: StaffRole, office: Office) -> None:
    with pytest.raises(NotAllowed):
        pictures(office.school).set_palette(office.ours.staff(role), "#aabbcc")


@pytest.mark.parametrize(
    "text", ["green", "#12345", "#1234567", "0b6a5d", "#0b6a5g", "url(#a)", "#0b6a5d\n<b>", "#١٢٣"]
)
def test_what_is_no_colour_is_refused(text: str, office: Office) -> None:
    service = pictures(office.school)
    assert refused(service.set_palette, office.ours.staff(), text) is FormProblem.NOT_COLOURS
    assert service.palette(office.ours.id) == ()


def test_colours_are_bounded(office: Office) -> None:
    text = "\n".join(f"#{number:06x}" for number in range(limits.MAXIMUM_COLOURS + 1))
    assert refused(pictures(office.school).set_palette, office.ours.staff(), text) is FormProblem.TOO_MANY
