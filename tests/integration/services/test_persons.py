"""One person, several LMSs: joined by a code they carried themselves, and by nothing else."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from lti_tool.errors import (
    Conflict,
    ErrorCode,
    LimitReached,
    NotAllowed,
    NotFound,
    RequestInvalid,
    ToolError,
)
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.launching import SessionView
from lti_tool.services.milestones import Milestones
from lti_tool.services.persons import CODE_LASTS, CODE_LENGTH, CODES, LETTERS, TRIES, Code, Persons
from lti_tool.services.privacy import Privacy
from lti_tool.services.sharing import Sharing
from lti_tool.store import privacy, runs, tables
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.milestone_campus import Campus
from tests.integration.services.school import School, session_of


class Town:
    """An organisation with several LMSs, each with a course, and another organisation."""

    def __init__(self, school: School, platforms: int = 3) -> None:
        self.school = school
        self.campus = Campus(school, 2)
        first = self.campus.courses[0]
        self.courses = [first, *(self._beside(first) for _ in range(platforms - 1))]
        self.foreign = school.course()
        self.persons = Persons(school.database, school.clock, b"a secret", school.hints, school.urls)

    def _beside(self, first: Course) -> Course:
        """A course in another LMS of the same organisation."""
        with self.school.database.write() as session:
            number = next(factories._numbers)
            issuer = f"https://lms{number}.example"
            registration = tables.Registration(
                name=f"LMS {number}",
                issuer=issuer,
                client_id=f"client-{number}",
                product="canvas",
                auth_url=f"{issuer}/auth",
                token_url=f"{issuer}/token",
                jwks_url=f"{issuer}/jwks",
                status="approved",
                created_at=NOW,
            )
            session.add(registration)
            session.flush()
            deployment = tables.Deployment(
                registration_id=registration.id,
                id_on_platform="1",
                organisation_id=first.organisation_id,
                status="approved",
                service_hosts=[],
                first_seen_at=NOW,
                approved_at=NOW,
            )
            session.add(deployment)
            session.flush()
            context = tables.Context(
                organisation_id=first.organisation_id,
                registration_id=registration.id,
                deployment_id=deployment.id,
                id_on_platform=str(number),
                title=f"Course {number}",
                created_at=NOW,
                last_launched_at=NOW,
            )
            session.add(context)
            session.flush()
            return Course(
                first.organisation_id, first.issuer_id, registration.id, deployment.id, context.id, issuer
            )

    def somebody(self, platform: int, **changes: Any) -> SessionView:
        """A learner in the wallet of one of the LMSs."""
        (learner_id,) = factories.enrol(self.school.database, self.courses[platform])
        return session_of(self.courses[platform], learner_id, **changes)

    def join(self, taker: SessionView, enterer: SessionView) -> None:
        """The whole way, as two people who click yes go it."""
        code = self.persons.take_code(taker)
        offered = self.persons.look(enterer, code.grouped)
        self.persons.enter(enterer, code.grouped, offered.mark)
        waiting = self.persons.view(taker).waiting
        assert waiting is not None
        self.persons.answer(taker, waiting.mark, is_yes=True)

    def person_of(self, session: SessionView) -> str | None:
        (row,) = self.school.rows(tables.Learner, tables.Learner.id == session.learner_id)
        return None if row.person_id is None else str(row.person_id)

    def are_joined(self, *sessions: SessionView) -> bool:
        found = {self.person_of(session) for session in sessions}
        return len(found) == 1 and None not in found

    def actions(self) -> list[str]:
        with self.school.database.read() as session:
            rows = session.query(tables.AuditEvent).order_by(tables.AuditEvent.id).all()
        return sorted(row.action for row in rows if row.action.startswith("person."))


@pytest.fixture
def town(school: School) -> Town:
    return Town(school)


@pytest.fixture
def small_town(small_school: School) -> Town:
    return Town(small_school)


def problem(refused: pytest.ExceptionInfo[RequestInvalid]) -> FormProblem:
    problems = refused.value.params["problems"]
    assert isinstance(problems, tuple)
    (found,) = problems
    assert found.field == "code"
    return FormProblem(found.code)


def look_in_vain(town: Town, session: SessionView, text: str) -> FormProblem:
    with pytest.raises(RequestInvalid) as refused:
        town.persons.look(session, text)
    return problem(refused)


def at_once(*deeds: Callable[[], object]) -> list[ToolError]:
    """Do things in threads of their own at the same moment; what was refused."""
    barrier, refused = Barrier(len(deeds)), list[ToolError]()

    def run(deed: Callable[[], object]) -> None:
        barrier.wait()
        try:
            deed()
        except ToolError as error:
            refused.append(error)

    threads = [Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


# -- the way


def test_two_accounts_are_joined_once_both_sides_said_yes(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    assert len(code.text) == CODE_LENGTH
    assert set(code.text) <= set(LETTERS)
    assert code.expires_at == NOW + CODE_LASTS
    offered = town.persons.look(twin, code.grouped.lower())
    assert [account.learner_id for account in offered.own] == [twin.learner_id]
    assert [account.learner_id for account in offered.other] == [ada.learner_id]
    assert town.person_of(ada) is None
    asked = town.persons.enter(twin, code.text, offered.mark)
    assert asked.learner_id == ada.learner_id
    # One side's yes is not enough.
    assert town.person_of(ada) is None
    assert town.person_of(twin) is None
    shown = town.persons.view(twin)
    assert shown.asked is not None
    assert shown.asked.learner_id == ada.learner_id
    waiting = town.persons.view(ada).waiting
    assert waiting is not None
    assert waiting.other[0].learner_id == twin.learner_id
    town.persons.answer(ada, waiting.mark, is_yes=True)
    assert town.are_joined(ada, twin)
    for session, other in ((ada, twin), (twin, ada)):
        view = town.persons.view(session)
        assert [account.learner_id for account in view.accounts] == [session.learner_id, other.learner_id]
        assert view.waiting is None
        assert view.asked is None
    assert town.school.rows(tables.PersonCode) == []
    assert town.actions() == ["person.code_entered", "person.code_taken", "person.joined"]


def test_no_leaves_everything_as_it_was(town: Town) -> None:
    ada, stranger = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    town.persons.enter(stranger, code.text, town.persons.look(stranger, code.text).mark)
    waiting = town.persons.view(ada).waiting
    assert waiting is not None
    town.persons.answer(ada, waiting.mark, is_yes=False)
    assert town.person_of(ada) is None
    assert town.person_of(stranger) is None
    assert town.persons.view(ada).waiting is None
    with pytest.raises(Conflict):
        town.persons.answer(ada, waiting.mark, is_yes=True)
    assert "person.declined" in town.actions()


def test_a_chain_of_three_is_one_person_whichever_way_it_was_joined(town: Town) -> None:
    first, second, third = (town.somebody(number) for number in range(3))
    town.join(first, second)
    code = town.persons.take_code(third)
    offered = town.persons.look(second, code.text)
    # Everybody who comes along is shown.
    assert {account.learner_id for account in offered.own} == {first.learner_id, second.learner_id}
    town.persons.enter(second, code.text, offered.mark)
    waiting = town.persons.view(third).waiting
    assert waiting is not None
    assert len(waiting.other) == 2
    town.persons.answer(third, waiting.mark, is_yes=True)
    assert town.are_joined(first, second, third)
    assert len(town.school.rows(tables.Person)) == 1


def test_two_pairs_become_one_person(small_school: School) -> None:
    town = Town(small_school, 4)
    people = [town.somebody(number) for number in range(4)]
    town.join(people[0], people[1])
    town.join(people[2], people[3])
    assert len(town.school.rows(tables.Person)) == 2
    town.join(people[1], people[2])
    assert town.are_joined(*people)
    assert len(town.school.rows(tables.Person)) == 1


# -- who tries


def test_a_code_that_was_guessed_wrong_five_times_is_asked_for_no_more(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    for number in range(TRIES):
        assert look_in_vain(town, twin, f"WRONG-2222{number + 2}") is FormProblem.CODE_UNKNOWN
    with pytest.raises(LimitReached) as refused:
        town.persons.look(twin, code.text)
    assert refused.value.code is ErrorCode.RATE_LIMITED
    assert refused.value.retry_after == 600
    # Others are not kept from theirs, and time heals.
    other = town.somebody(2)
    town.persons.look(other, code.text)
    town.school.clock.forward(minutes=10, seconds=1)
    town.persons.look(twin, town.persons.take_code(ada).text)


def test_guesses_that_come_at_once_are_counted_like_others(town: Town) -> None:
    town.persons.take_code(town.somebody(0))
    twin = town.somebody(1)
    guesses = [lambda n=n: town.persons.look(twin, f"GUESS2222{n}") for n in range(2, 10)]
    refused = at_once(*guesses)
    assert len([one for one in refused if isinstance(one, RequestInvalid)]) == TRIES
    assert len([one for one in refused if isinstance(one, LimitReached)]) == 8 - TRIES


def test_codes_are_not_taken_without_end(small_town: Town) -> None:
    ada = small_town.somebody(0)
    for _ in range(CODES):
        small_town.persons.take_code(ada)
    with pytest.raises(LimitReached):
        small_town.persons.take_code(ada)
    assert len(small_town.school.rows(tables.PersonCode)) == 1


def test_an_earlier_code_is_worth_nothing(small_town: Town) -> None:
    ada, twin = small_town.somebody(0), small_town.somebody(1)
    former, newer = small_town.persons.take_code(ada), small_town.persons.take_code(ada)
    assert look_in_vain(small_town, twin, former.text) is FormProblem.CODE_UNKNOWN
    small_town.persons.look(twin, newer.text)


def test_a_code_of_another_organisation_is_none(town: Town) -> None:
    (foreigner,) = factories.enrol(town.school.database, town.foreign)
    code = town.persons.take_code(session_of(town.foreign, foreigner))
    assert look_in_vain(town, town.somebody(0), code.text) is FormProblem.CODE_UNKNOWN


def test_ones_own_code_joins_nobody(small_town: Town) -> None:
    ada = small_town.somebody(0)
    code = small_town.persons.take_code(ada)
    assert look_in_vain(small_town, ada, code.text) is FormProblem.CODE_OWN


def test_friends_in_one_lms_stay_two_people(small_town: Town) -> None:
    ada, friend, elsewhere = small_town.somebody(0), small_town.somebody(0), small_town.somebody(1)
    code = small_town.persons.take_code(ada)
    assert look_in_vain(small_town, friend, code.text) is FormProblem.CODE_SAME_LMS
    # Not over a third account either.
    small_town.join(ada, elsewhere)
    code = small_town.persons.take_code(elsewhere)
    assert look_in_vain(small_town, friend, code.text) is FormProblem.CODE_SAME_LMS


def test_who_is_joined_already_is_told_so(small_town: Town) -> None:
    ada, twin = small_town.somebody(0), small_town.somebody(1)
    small_town.join(ada, twin)
    code = small_town.persons.take_code(ada)
    assert look_in_vain(small_town, twin, code.text) is FormProblem.CODE_JOINED


def test_nothing_typed_is_no_guess(small_town: Town) -> None:
    twin = small_town.somebody(1)
    for _ in range(TRIES + 1):
        assert look_in_vain(small_town, twin, "  ") is FormProblem.REQUIRED


@pytest.mark.parametrize("text", ["\0", "ſſſ", "ı" * 10, "x" * 100_000, "'; --", "\ud800"])
def test_what_is_no_code_at_all_is_unknown(school: School, text: str) -> None:
    town = Town(school, 2)
    assert look_in_vain(town, town.somebody(1), text) is FormProblem.CODE_UNKNOWN


def test_a_code_is_over_after_ten_minutes_and_so_is_the_wait_for_a_yes(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    town.school.clock.forward(minutes=10)
    assert look_in_vain(town, twin, code.text) is FormProblem.CODE_UNKNOWN
    code = town.persons.take_code(ada)
    town.persons.enter(twin, code.text, town.persons.look(twin, code.text).mark)
    waiting = town.persons.view(ada).waiting
    assert waiting is not None
    town.school.clock.forward(minutes=10)
    assert town.persons.view(ada).waiting is None
    with pytest.raises(Conflict):
        town.persons.answer(ada, waiting.mark, is_yes=True)
    assert town.person_of(ada) is None


def test_a_code_is_entered_once(town: Town) -> None:
    ada, twin, third = (town.somebody(number) for number in range(3))
    code = town.persons.take_code(ada)
    seen = town.persons.look(third, code.text)
    town.persons.enter(twin, code.text, town.persons.look(twin, code.text).mark)
    assert look_in_vain(town, third, code.text) is FormProblem.CODE_UNKNOWN
    with pytest.raises(RequestInvalid):
        town.persons.enter(third, code.text, seen.mark)


def test_of_two_who_enter_it_at_once_one_gets_it(town: Town) -> None:
    ada, twin, third = (town.somebody(number) for number in range(3))
    code = town.persons.take_code(ada)
    marks = {session: town.persons.look(session, code.text).mark for session in (twin, third)}
    refused = at_once(
        *(lambda s=session, m=mark: town.persons.enter(s, code.text, m) for session, mark in marks.items())
    )
    assert len(refused) == 1
    (row,) = town.school.rows(tables.PersonCode)
    assert row.used_by_id in (twin.learner_id, third.learner_id)


def test_of_two_answers_at_once_one_counts(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    town.persons.enter(twin, code.text, town.persons.look(twin, code.text).mark)
    waiting = town.persons.view(ada).waiting
    assert waiting is not None
    refused = at_once(*[lambda: town.persons.answer(ada, waiting.mark, is_yes=True)] * 2)
    assert [type(one) for one in refused] == [Conflict]
    assert town.are_joined(ada, twin)
    assert len(town.school.rows(tables.Person)) == 1


def test_joins_at_both_ends_of_a_chain_at_once_lose_nobody(school: School) -> None:
    town = Town(school, 4)
    people = [town.somebody(number) for number in range(4)]
    town.join(people[1], people[2])
    marks = []
    for taker, enterer in ((people[0], people[1]), (people[3], people[2])):
        code = town.persons.take_code(taker)
        town.persons.enter(enterer, code.text, town.persons.look(enterer, code.text).mark)
        waiting = town.persons.view(taker).waiting
        assert waiting is not None
        marks.append((taker, waiting.mark))
    refused = at_once(*(lambda t=t, m=m: town.persons.answer(t, m, is_yes=True) for t, m in marks))
    # The second would join more than it was shown, and looks again.
    assert [type(one) for one in refused] == [Conflict]
    assert len([session for session in people if town.are_joined(people[1], session)]) == 3
    assert len(town.school.rows(tables.Person)) == 1


def test_more_than_was_shown_is_not_joined(small_town: Town) -> None:
    ada, twin, third = (small_town.somebody(number) for number in range(3))
    code = small_town.persons.take_code(ada)
    seen = small_town.persons.look(twin, code.text)
    with pytest.raises(Conflict):
        small_town.persons.enter(twin, code.text, "")
    small_town.persons.enter(twin, code.text, seen.mark)
    waiting = small_town.persons.view(ada).waiting
    assert waiting is not None
    small_town.join(third, twin)
    with pytest.raises(Conflict):
        small_town.persons.answer(ada, waiting.mark, is_yes=True)
    assert small_town.person_of(ada) is None


@pytest.mark.parametrize("who", [{"is_read_only": True}, {"is_anonymous": True, "is_read_only": True}])
def test_who_looks_as_somebody_else_joins_nobody(town: Town, who: dict[str, Any]) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    mark = town.persons.look(twin, code.text).mark
    looking = session_of(town.courses[1], twin.learner_id, **who)
    deeds: list[Callable[[], object]] = [
        lambda: town.persons.take_code(looking),
        lambda: town.persons.look(looking, code.text),
        lambda: town.persons.enter(looking, code.text, mark),
        lambda: town.persons.answer(looking, mark, is_yes=True),
        lambda: town.persons.leave(looking),
    ]
    for deed in deeds:
        with pytest.raises(NotAllowed):
            deed()
    if not looking.is_anonymous:
        view = town.persons.view(looking)
        assert not view.can_change
        assert view.waiting is None
        assert view.asked is None


def test_who_looks_as_somebody_else_sees_one_account(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    town.join(ada, twin)
    assert len(town.persons.view(twin).accounts) == 2
    (account,) = town.persons.view(session_of(town.courses[1], twin.learner_id, is_read_only=True)).accounts
    assert account.learner_id == twin.learner_id


def test_a_test_user_is_nobody(town: Town) -> None:
    ada, preview = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(preview)
    town.school.change(tables.Learner, tables.Learner.id == preview.learner_id, is_test_user=True)
    with pytest.raises(NotAllowed):
        town.persons.take_code(preview)
    assert look_in_vain(town, ada, code.text) is FormProblem.CODE_UNKNOWN
    assert not town.persons.view(preview).can_change


def test_a_database_that_was_read_joins_nobody(small_town: Town) -> None:
    code = small_town.persons.take_code(small_town.somebody(0))
    (row,) = small_town.school.rows(tables.PersonCode)
    assert code.text not in row.code_hash
    school = small_town.school
    other = Persons(school.database, school.clock, b"another", school.hints, school.urls)
    with pytest.raises(RequestInvalid):
        other.look(small_town.somebody(1), code.text)


# -- leaving


def test_either_side_leaves_and_two_are_none(town: Town) -> None:
    for leaver in (0, 1):
        people = town.somebody(0), town.somebody(1)
        town.join(*people)
        town.persons.leave(people[leaver])
        assert [town.person_of(session) for session in people] == [None, None]
        assert town.school.rows(tables.Person) == []
        with pytest.raises(Conflict):
            town.persons.leave(people[leaver])
    assert town.actions().count("person.left") == 2


def test_of_three_two_stay_together(town: Town) -> None:
    first, second, third = (town.somebody(number) for number in range(3))
    town.join(first, second)
    town.join(second, third)
    town.persons.leave(second)
    assert town.person_of(second) is None
    assert town.are_joined(first, third)


def test_who_leaves_takes_open_codes_along(small_town: Town) -> None:
    ada, twin, third = (small_town.somebody(number) for number in range(3))
    small_town.join(ada, twin)
    code = small_town.persons.take_code(ada)
    small_town.persons.leave(ada)
    assert look_in_vain(small_town, third, code.text) is FormProblem.CODE_UNKNOWN


# -- the wallet


def test_each_wallet_shows_the_others_badges_and_from_where(town: Town) -> None:
    ada, twin, stranger = town.somebody(0), town.somebody(1), town.somebody(2)
    placed = [factories.placed(town.school.database, course) for course in town.courses[:2]]
    for session, one, course in zip((ada, twin), placed, town.courses, strict=False):
        factories.award(town.school.database, course, one, session.learner_id)
    assert town.persons.elsewhere(ada) == ()
    town.join(ada, twin)
    for session, platform, one in ((ada, 1, placed[1]), (twin, 0, placed[0])):
        (shown,) = town.persons.elsewhere(session)
        (lms,) = town.school.rows(
            tables.Registration, tables.Registration.id == town.courses[platform].registration_id
        )
        assert shown.platform == lms.name
        assert shown.badge.achievement_version_id == one.achievement_version_id
    assert town.persons.elsewhere(stranger) == ()
    # An administrator who looks as the learner belongs to one of the two.
    assert town.persons.elsewhere(session_of(town.courses[0], ada.learner_id, is_read_only=True)) == ()
    town.persons.leave(twin)
    assert town.persons.elsewhere(ada) == ()


def test_a_joined_badge_is_seen_and_not_handed_out(small_town: Town) -> None:
    """It is shared and taken along where it was awarded: by the account that has it."""
    ada, twin = small_town.somebody(0), small_town.somebody(1)
    school, course = small_town.school, small_town.courses[0]
    credential_id = school.issued(course, factories.placed(school.database, course), ada.learner_id)
    small_town.join(ada, twin)
    sharing = Sharing(school.database, school.clock, school.urls)
    with pytest.raises(NotFound):
        sharing.own_document(twin, credential_id)
    with pytest.raises(NotFound):
        sharing.set_public(twin, credential_id, True)


# -- erasure


def erase(town: Town, session: SessionView) -> None:
    with town.school.database.write() as writing:
        privacy.erase(writing, session.learner_id, NOW)


def test_whoever_is_erased_leaves_nobody_joined_with_themselves(town: Town) -> None:
    first, second, third = (town.somebody(number) for number in range(3))
    town.join(first, second)
    town.join(second, third)
    erase(town, second)
    assert town.are_joined(first, third)
    erase(town, third)
    assert town.person_of(first) is None
    assert town.school.rows(tables.Person) == []


def test_a_code_of_somebody_erased_meanwhile_joins_nobody(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    mark = town.persons.look(twin, code.text).mark
    erase(town, ada)
    with pytest.raises(RequestInvalid):
        town.persons.enter(twin, code.text, mark)
    code = town.persons.take_code(twin)
    ada = town.somebody(0)
    town.persons.enter(ada, code.text, town.persons.look(ada, code.text).mark)
    waiting = town.persons.view(twin).waiting
    assert waiting is not None
    erase(town, ada)
    assert town.persons.view(twin).waiting is None
    with pytest.raises(Conflict):
        town.persons.answer(twin, waiting.mark, is_yes=True)


def test_codes_that_are_over_are_purged(town: Town) -> None:
    town.persons.take_code(town.somebody(0))
    with town.school.database.write() as session:
        assert runs.purge(session, NOW)["person_codes"] == 0
        assert runs.purge(session, NOW + timedelta(minutes=11))["person_codes"] == 1


def test_an_export_names_the_joined_platforms_and_nobody_elses(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    town.join(ada, twin)
    service = Privacy(town.school.database, town.school.clock, town.school.urls, town.school.hints)
    documents = {}
    for session in (ada, town.somebody(2)):
        person = service.person(session.organisation_id, session.learner_id)
        with service.export(person, "cli", {}) as file, zipfile.ZipFile(file) as archive:
            documents[session.learner_id] = json.loads(archive.read("data.json"))["joined_accounts"]
    (lms,) = town.school.rows(tables.Registration, tables.Registration.id == town.courses[1].registration_id)
    assert list(documents.values()) == [[{"platform": lms.name}], []]


def test_somebody_erased_between_look_and_yes_is_told_so_and_nothing_breaks(town: Town) -> None:
    """The page was open when an administrator erased whoever sits before it."""
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    mark = town.persons.look(twin, code.text).mark
    erase(town, twin)
    deeds: list[Callable[[], object]] = [
        lambda: town.persons.enter(twin, code.text, mark),
        lambda: town.persons.take_code(twin),
        lambda: town.persons.leave(twin),
        lambda: town.persons.view(twin),
    ]
    for deed in deeds:
        with pytest.raises(NotFound):
            deed()
    assert town.persons.elsewhere(twin) == ()
    assert [row.used_by_id for row in town.school.rows(tables.PersonCode)] == [None]


def test_an_erasure_at_the_moment_of_a_yes_leaves_nothing_half_joined(town: Town) -> None:
    ada, twin = town.somebody(0), town.somebody(1)
    code = town.persons.take_code(ada)
    town.persons.enter(twin, code.text, town.persons.look(twin, code.text).mark)
    waiting = town.persons.view(ada).waiting
    assert waiting is not None
    refused = at_once(lambda: town.persons.answer(ada, waiting.mark, is_yes=True), lambda: erase(town, twin))
    assert [type(one) for one in refused] in ([], [Conflict])
    assert town.person_of(ada) is None
    assert town.school.rows(tables.Person) == []


# -- what it is for


def test_completions_of_two_lmss_make_one_milestone_once_they_are_joined(town: Town) -> None:
    """And a badge that came of it stays when they part."""
    campus, school = town.campus, town.school
    milestone_id = campus.active()
    ada, twin = town.somebody(0), town.somebody(1)
    for number, session in enumerate((ada, twin)):
        completed(town, session, number)
    milestones: Milestones = campus.milestones
    milestones.work(milestone_id)
    assert milestones.due(10) == ()
    assert campus.awards() == []
    town.join(ada, twin)
    assert school.hints.offered[-1] == ("decide_milestone", {"milestone_id": milestone_id})
    # Without the hint, too: what is owed follows from the tables.
    assert milestones.due(10) == (milestone_id,)
    assert milestones.work(milestone_id) == 1
    (award,) = campus.awards()
    assert award.learner_id == twin.learner_id
    assert award.met_at == NOW - timedelta(days=1)
    town.persons.leave(ada)
    milestones.work(milestone_id)
    assert len(campus.awards()) == 1
    town.join(ada, twin)
    milestones.work(milestone_id)
    assert len(campus.awards()) == 1
    assert milestones.due(10) == ()


@pytest.mark.parametrize("parts", ["taker", "enterer"])
def test_who_left_and_is_erased_is_in_nobodys_reasons(town: Town, parts: str) -> None:
    """What was decided while they were joined tells of both; parted, each has reasons of their own."""
    campus, school = town.campus, town.school
    milestone_id = campus.active()
    ada, twin = town.somebody(0), town.somebody(1)
    town.join(ada, twin)
    for number, session in enumerate((ada, twin)):
        completed(town, session, number)
    campus.milestones.work(milestone_id)
    foreign = campus.micromodule(1)
    assert foreign in str(campus.decision(ada.learner_id).evidence)
    town.persons.leave(ada if parts == "taker" else twin)
    campus.milestones.work(milestone_id)
    erase(town, twin)
    campus.milestones.work(milestone_id)
    rows = school.rows(tables.MilestoneDecision)
    assert {row.learner_id for row in rows} == {ada.learner_id}
    assert campus.micromodule(0) in str(campus.decision(ada.learner_id).evidence)
    assert foreign not in " ".join(str(row.evidence) + str(row.finding) for row in rows)


def completed(town: Town, session: SessionView, number: int) -> None:
    """Somebody completes one of the campus's micromodules, and nobody has decided about it yet."""
    with town.school.database.write() as writing:
        writing.add(
            tables.Completion(
                organisation_id=town.campus.organisation_id,
                micromodule_version_id=town.campus.placed[number].micromodule_version_id,
                learner_id=session.learner_id,
                met_at=NOW - timedelta(days=2 - number),
                recorded_at=NOW,
            )
        )


def test_a_code_is_read_in_two_halves() -> None:
    assert Code("ABCDE23456", NOW).grouped == "ABCDE-23456"
