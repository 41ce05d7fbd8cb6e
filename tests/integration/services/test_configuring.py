"""Deep linking: who may place what, and that nothing typed is lost."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lti_tool.credentials.errors import ArtworkInvalid
from lti_tool.domain.criteria import AllOf, Channel, Criterion, Purpose, ScoreAtLeast, Unit
from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.keyring import Signer
from lti_tool.services.configuring import Choice, Configuring, DeepLinkingAnswer, LinkWords
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import BASE_URL, School, session_of

SETTINGS = DeepLinkingSettings(
    return_url="https://lms.example/return",
    accept_types=("ltiResourceLink",),
    accept_multiple=True,
    accept_line_item=True,
    data="state of the LMS",
)

FIELDS = {
    "name": "Reading maps",
    "description": "Finding one's way.",
    "skills": "Map reading",
    "combination": "all",
    "at_least_count": "1",
    **factories.rule_fields(0, label="Quiz 1"),
    **factories.rule_fields(
        1, label="Talk", channel="attest", threshold="250", unit="points", purpose="formative"
    ),
    "shape": "circle",
    "icon": "award",
    "background": "#113355",
    "foreground": "#ffffff",
    "text": "Maps",
    "image_alt": "A round badge with a map",
}


@lru_cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def configuring(school: School) -> Configuring:
    key = Signer("lti", "key-1", "active", _private_key())
    return Configuring(school.database, school.clock, lambda: key, BASE_URL)


def teacher(school: School, course: Course, **changes: Any) -> SessionView:
    (person,) = factories.enrol(school.database, course)
    rights = {"can_configure": True, "can_view_progress": True, "deep_linking": SETTINGS}
    return session_of(course, person, **{**rights, **changes})


def narrate(criterion: Criterion, _language: str = "") -> str:
    return "Pass the quiz."


def described(school: School, session: SessionView, **changes: str) -> DeepLinkingAnswer:
    form = MicromoduleForm.from_fields({**FIELDS, **changes})
    return configuring(school).describe(session, form, narrate, language="en")


def said(answer: DeepLinkingAnswer) -> dict[str, Any]:
    payload = answer.jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def items(answer: DeepLinkingAnswer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = said(answer)["https://purl.imsglobal.org/spec/lti-dl/claim/content_items"]
    return found


# -- describing and placing


def test_a_described_micromodule_is_kept_and_placed(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    answer = described(school, session)
    assert answer.return_url == SETTINGS.return_url

    (version,) = school.rows(tables.MicromoduleVersion)
    assert parse_criteria(version.criteria) == AllOf(
        (
            ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60)),
            ScoreAtLeast("talk", "Talk", Decimal(250), Unit.POINTS, Channel.ATTEST, Purpose.FORMATIVE),
        )
    )
    (achievement,) = school.rows(tables.AchievementVersion)
    assert version.achievement_version_id == achievement.id
    assert achievement.criteria_narrative == "Pass the quiz."
    assert achievement.image_svg.startswith("<svg")
    assert achievement.image_png.startswith(b"\x89PNG")
    (placement,) = school.rows(tables.Placement)
    assert (placement.status, placement.created_by_id) == ("draft", session.learner_id)
    assert placement.context_id == course.context_id

    (item,) = items(answer)
    assert item["url"] == f"{BASE_URL}/lti/launch"
    assert item["custom"] == {"badge_link_key": placement.badge_link_key, "badge_link_role": "badge"}
    assert item["lineItem"]["resourceId"] == placement.badge_link_key
    assert item["lineItem"]["tag"] == "award"
    assert said(answer)["https://purl.imsglobal.org/spec/lti-dl/claim/data"] == SETTINGS.data


def test_each_rule_asks_for_a_column_large_enough_for_it(school: School) -> None:
    described(school, teacher(school, school.course()))
    columns = {row.evidence_key: row for row in school.rows(tables.LineItem)}
    assert {key: (row.tag, row.label, row.score_maximum) for key, row in columns.items()} == {
        "quiz-1": ("mirror", "Quiz 1 · Reading maps", 100),
        "talk": ("attest", "Talk · Reading maps", 250),
    }
    assert all(row.id_on_platform is None for row in columns.values())


@pytest.mark.parametrize("locale", ["pt_br", "de", "x" * 35, None])
def test_a_badge_names_the_language_that_it_is_written_in(small_school: School, locale: str | None) -> None:
    """The LMS speaks its own language to the person (Moodle: "pt_br"); the text is in the page's."""
    session = teacher(small_school, small_school.course(), locale=locale)
    form = MicromoduleForm.from_fields(FIELDS)
    configuring(small_school).describe(session, form, narrate, language="pt-BR")
    (achievement,) = small_school.rows(tables.AchievementVersion)
    assert achievement.language == "pt-BR"


def test_the_same_form_sent_twice_makes_one_micromodule_and_one_placement(school: School) -> None:
    session = teacher(school, school.course())
    form = MicromoduleForm.from_fields(FIELDS)
    service = configuring(school)
    first, second = (
        items(service.describe(session, form, narrate, language="en", key="k" * 32)) for _ in range(2)
    )
    assert first == second
    for table, count in (
        (tables.Micromodule, 1),
        (tables.AchievementVersion, 1),
        (tables.MicromoduleVersion, 1),
        (tables.Placement, 1),
        (tables.LineItem, 2),
        (tables.AuditEvent, 2),
    ):
        assert len(school.rows(table)) == count, table.__tablename__


def test_of_eight_posts_of_one_form_one_counts(school: School) -> None:
    session = teacher(school, school.course())
    form = MicromoduleForm.from_fields(FIELDS)
    start = threading.Barrier(8)

    def post(_: int) -> Any:
        start.wait()
        answer = configuring(school).describe(session, form, narrate, language="en", key="k")
        return items(answer)[0]["custom"]["badge_link_key"]

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(post, range(8)))
    assert len(keys) == len(school.rows(tables.Placement)) == len(school.rows(tables.Micromodule)) == 1


def test_another_form_another_person_or_another_key_makes_another_micromodule(small_school: School) -> None:
    """A key is what somebody sends: it leads to nobody else's, and hides no later change."""
    course = small_school.course()
    session, colleague = teacher(small_school, course), teacher(small_school, course)
    stranger = teacher(small_school, small_school.course())
    form = MicromoduleForm.from_fields(FIELDS)
    service = configuring(small_school)
    service.describe(session, form, narrate, language="en", key="k")
    service.describe(session, replace(form, name="Second thought"), narrate, language="en", key="k")
    service.describe(colleague, form, narrate, language="en", key="k")
    service.describe(stranger, form, narrate, language="en", key="k")
    service.describe(session, form, narrate, language="en", key="other")
    for _ in range(2):
        service.describe(session, form, narrate, language="en", key="")
    assert len(small_school.rows(tables.Micromodule)) == len(small_school.rows(tables.Placement)) == 7


def test_who_described_what_is_written_down(small_school: School) -> None:
    course = small_school.course()
    session = teacher(small_school, course)
    described(small_school, session)
    (event,) = small_school.rows(tables.AuditEvent, tables.AuditEvent.action == "micromodule.created")
    (version,) = small_school.rows(tables.MicromoduleVersion)
    assert event.actor == f"learner:{session.learner_id}"
    assert (event.subject_id, event.organisation_id) == (version.id, course.organisation_id)


def test_who_brought_a_badge_into_a_course_is_written_down(small_school: School) -> None:
    course = small_school.course()
    described(small_school, teacher(small_school, course))
    (version,) = small_school.rows(tables.MicromoduleVersion)
    other = teacher(small_school, course)
    configuring(small_school).place(other, version.id)
    (event,) = small_school.rows(
        tables.AuditEvent,
        tables.AuditEvent.action == "micromodule.placed",
        tables.AuditEvent.actor == f"learner:{other.learner_id}",
    )
    (placement,) = small_school.rows(tables.Placement)  # nobody has opened the first link yet
    assert (event.subject_kind, event.subject_id) == ("context", course.context_id)
    assert event.organisation_id == course.organisation_id
    assert event.detail == {"placement": placement.id, "micromodule_version": version.id}


def test_a_micromodule_stays_though_the_lms_never_saves_its_link(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    described(school, session)
    (module,) = configuring(school).picker(session).micromodules
    assert module.name == "Reading maps"
    assert not module.is_placed_here
    placed_again = configuring(school).place(session, module.micromodule_version_id)
    (placement,) = school.rows(tables.Placement)
    assert items(placed_again)[0]["custom"]["badge_link_key"] == placement.badge_link_key
    school.change(tables.Placement, status="active")
    assert configuring(school).picker(session).micromodules[0].is_placed_here


def test_a_micromodule_stays_though_the_lms_takes_no_links(small_school: School) -> None:
    session = teacher(
        small_school, small_school.course(), deep_linking=replace(SETTINGS, accept_types=("file",))
    )
    with pytest.raises(RequestInvalid) as refused:
        described(small_school, session)
    assert refused.value.code is ErrorCode.DEEP_LINKING_TYPE_REFUSED
    assert len(small_school.rows(tables.MicromoduleVersion)) == 1
    assert small_school.rows(tables.Placement) == []


def test_wallet_and_dashboard_are_placed_without_a_key_or_column(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    words = LinkWords({"wallet": "Abzeichen", "dashboard": "Fortschritt"})
    answer = configuring(small_school).choose(session, Choice(roles=("wallet", "dashboard")), words)
    wallet, dashboard = items(answer)
    assert (wallet["title"], dashboard["title"]) == ("Abzeichen", "Fortschritt")
    assert wallet["custom"] == {"badge_link_role": "wallet"}
    assert dashboard["custom"] == {"badge_link_role": "dashboard"}
    assert not any("lineItem" in item for item in (wallet, dashboard))
    assert small_school.rows(tables.Placement) == []


@pytest.mark.parametrize(
    "changes,problem",
    [
        ({"name": ""}, ("name", FormProblem.REQUIRED)),
        ({"criteria-0-threshold": "many"}, ("criteria-0-threshold", FormProblem.NOT_A_NUMBER)),
        ({"image_alt": "\u200b"}, ("image_alt", FormProblem.CONTROL_CHARACTER)),
        ({"shape": "blob"}, ("shape", FormProblem.UNKNOWN_CHOICE)),
        ({"icon": "../../etc/passwd"}, ("icon", FormProblem.UNKNOWN_CHOICE)),
        ({"background": "red"}, ("background", FormProblem.COLOUR_INVALID)),
        ({"foreground": "#113356"}, ("foreground", FormProblem.CONTRAST_TOO_LOW)),
        ({"text": "t" * 61}, ("text", FormProblem.TOO_LONG)),
    ],
)
def test_an_unusable_form_saves_nothing_and_names_each_field_once(
    small_school: School, changes: dict[str, str], problem: tuple[str, FormProblem]
) -> None:
    with pytest.raises(RequestInvalid) as refused:
        described(small_school, teacher(small_school, small_school.course()), **changes)
    assert refused.value.code is ErrorCode.FORM_INVALID
    found = refused.value.params["problems"]
    assert [(one.field, one.code) for one in found] == [problem]  # type: ignore[attr-defined]
    assert small_school.rows(tables.Micromodule) == []


def test_markup_in_names_stays_text_in_the_picture(small_school: School) -> None:
    hostile = '"><script>alert(1)</script>'
    described(small_school, teacher(small_school, small_school.course()), name=hostile, image_alt=hostile)
    (achievement,) = small_school.rows(tables.AchievementVersion)
    assert achievement.name == hostile
    assert "<script" not in achievement.image_svg


# -- drafts


def test_cancelling_keeps_what_was_typed_for_this_person_in_this_course(school: School) -> None:
    course = school.course()
    session, colleague = teacher(school, course), teacher(school, course)
    typed = {**FIELDS, "name": "", "criteria-0-threshold": "sixty?"}
    answer = configuring(school).cancel(session, typed)
    assert items(answer) == []
    assert configuring(school).picker(session).draft == MicromoduleForm.from_fields(typed).to_fields()
    assert configuring(school).picker(colleague).draft is None
    elsewhere = replace(session, context_id=school.course().context_id)
    assert configuring(school).picker(elsewhere).draft is None
    configuring(school).cancel(session, {**typed, "name": "Second thought"})
    draft = configuring(school).picker(session).draft
    assert draft is not None
    assert draft["name"] == "Second thought"
    assert len(school.rows(tables.Draft)) == 1


def test_a_draft_is_kept_whole_however_long_it_is(small_school: School) -> None:
    """What cannot be placed is refused when it is placed; until then nothing is cut off."""
    session = teacher(small_school, small_school.course())
    long = "A long thought. " * 1000
    configuring(small_school).save_draft(session, {**FIELDS, "description": long})
    draft = configuring(small_school).picker(session).draft
    assert draft is not None
    assert draft["description"] == long.strip()


def test_placing_forgets_the_draft_and_cancelling_without_a_form_does_not(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    configuring(small_school).cancel(session, FIELDS)
    configuring(small_school).cancel(session, None)
    assert configuring(small_school).picker(session).draft is not None
    described(small_school, session)
    assert configuring(small_school).picker(session).draft is None


def test_an_artwork_can_be_looked_at_before_it_is_described(small_school: School) -> None:
    assert configuring(small_school).preview_artwork({**FIELDS, "image_alt": ""}).startswith("<svg")
    with pytest.raises(ArtworkInvalid):
        configuring(small_school).preview_artwork({**FIELDS, "shape": "<script>"})


# -- rights and tenants


@pytest.mark.parametrize(
    "changes",
    [
        {"can_configure": False},  # a teaching assistant
        {"can_configure": False, "can_view_progress": False},  # a learner
        {"deep_linking": None},  # an instructor's ordinary launch
        {"is_read_only": True},  # somebody acting as the instructor
    ],
)
def test_everything_is_for_those_who_configure_by_deep_linking(
    small_school: School, changes: dict[str, Any]
) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course, status="draft")
    session = teacher(small_school, course, **changes)
    service = configuring(small_school)
    before = len(small_school.rows(tables.Placement))
    for act in (
        lambda: service.picker(session),
        lambda: described(small_school, session),
        lambda: service.place(session, placed.micromodule_version_id),
        lambda: service.choose(session, Choice(roles=("wallet",)), LinkWords()),
        lambda: service.keep(session),
        lambda: service.fail(session, "It failed.", ErrorCode.CONFLICT),
        lambda: service.cancel(session, FIELDS),
        lambda: service.save_draft(session, FIELDS),
    ):
        with pytest.raises(NotAllowed) as refused:
            act()
        assert refused.value.code is ErrorCode.DEEP_LINKING_NOT_ALLOWED
    assert len(small_school.rows(tables.Placement)) == before
    assert small_school.rows(tables.Draft) == []


def test_another_organisations_micromodules_do_not_exist(school: School) -> None:
    ours, theirs = school.course(), school.course()
    placed = factories.placed(school.database, theirs)
    session = teacher(school, ours)
    assert configuring(school).picker(session).micromodules == ()
    for version_id in (placed.micromodule_version_id, "0" * 32, placed.placement_id, ""):
        with pytest.raises(NotFound) as refused:
            configuring(school).place(session, version_id)
        assert refused.value.code is ErrorCode.MICROMODULE_NOT_FOUND
    assert school.rows(tables.Placement, tables.Placement.context_id == ours.context_id) == []


def test_an_archived_micromodule_is_not_offered(small_school: School) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    session = teacher(small_school, course)
    (offered,) = configuring(small_school).picker(session).micromodules
    small_school.change(tables.Micromodule, archived_at=NOW)
    assert configuring(small_school).picker(session).micromodules == ()
    with pytest.raises(NotFound) as refused:  # from a list that stood open meanwhile
        configuring(small_school).place(session, offered.micromodule_version_id)
    assert refused.value.code is ErrorCode.MICROMODULE_NOT_FOUND


def test_outside_a_course_nothing_is_placed_and_nothing_breaks(small_school: School) -> None:
    session = teacher(small_school, small_school.course(), context_id=None, context_title=None)
    configuring(small_school).save_draft(session, FIELDS)
    view = configuring(small_school).picker(session)
    assert (view.draft, view.has_roster) == (None, False)
    assert not view.takes_links, "no form is offered whose badge could not be placed"
    before = len(small_school.rows(tables.Micromodule))
    with pytest.raises(NotFound):
        described(small_school, session)
    assert len(small_school.rows(tables.Micromodule)) == before, "each try would leave one behind"


def test_a_course_without_a_roster_says_so(small_school: School) -> None:
    course = small_school.course()
    session = teacher(small_school, course)
    assert configuring(small_school).picker(session).has_roster
    small_school.change(tables.Context, memberships_url=None)
    assert not configuring(small_school).picker(session).has_roster


def test_micromodules_are_gathered_in_a_category_of_their_organisation(school: School) -> None:
    course, stranger = factories.course(school.database, NOW), factories.course(school.database, NOW)
    version_id = factories.placed(school.database, course, NOW).micromodule_version_id
    service = configuring(school)

    category_id = service.categorise(course.organisation_id, "  Open   Data ", [version_id])
    assert service.categorise(course.organisation_id, "Open Data", [version_id]) == category_id

    assert [row.name for row in school.rows(tables.Category)] == ["Open Data"]
    assert [row.category_id for row in school.rows(tables.MicromoduleCategory)] == [category_id]
    with pytest.raises(NotFound):
        service.categorise(stranger.organisation_id, "Stolen", [version_id])
    assert len(school.rows(tables.Category)) == 1
    with pytest.raises(RequestInvalid):
        service.categorise(course.organisation_id, " ", [version_id])
