"""Skills frameworks on both databases: imported, renewed, searched and removed, each organisation its own."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.staff import Permission, StaffRole, permits
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.framework_files import FileProblem
from lti_tool.services.frameworks import RESULTS, Frameworks
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests.integration.services.office import Office
from tests.integration.services.school import session_of
from tests.unit.services.test_framework_files import case, esco, row

SKILLS = esco(
    row(1, "use databases", "query databases\nwork with SQL", more="Use software to store data."),
    row(2, "database", "databases"),
    row(3, "design database scheme"),
    row(4, "play the piano"),
    row(5, "Straße 100%_sicher"),
)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


@pytest.fixture
def small_office(sqlite_database: Database, tmp_path: Path) -> Office:
    """Where the kind of database does not matter."""
    return Office(sqlite_database, tmp_path / "keys")


def of(office: Office) -> Frameworks:
    return Frameworks(office.database, office.school.clock)


def names(frameworks: Frameworks, organisation_id: str, text: str, **given: Any) -> list[str]:
    return [skill.name for skill in frameworks.search(organisation_id, text, **given).skills]


def test_a_file_is_imported_and_found_by_every_name(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    imported = frameworks.import_file(staff, SKILLS, file_name="skills_en.csv", version="v1.2.0")
    assert (imported.framework.name, imported.framework.items, imported.framework.language) == (
        "ESCO",
        5,
        "en",
    )
    assert (imported.renewal.added, imported.renewal.changed, imported.renewal.removed) == (5, 0, 0)
    ours = office.ours.id
    assert names(frameworks, ours, "database") == ["database", "use databases", "design database scheme"]
    assert names(frameworks, ours, "SQL") == ["use databases"]
    assert names(frameworks, ours, "sql databases") == ["use databases"]
    assert names(frameworks, ours, "strasse") == ["Straße 100%_sicher"]
    (skill,) = frameworks.search(ours, "piano").skills
    assert (skill.framework, skill.version, skill.target_type) == ("ESCO", "v1.2.0", "ceasn:Competency")
    assert "framework.imported" in office.actions(office.ours)


@pytest.mark.parametrize("text", ["%", "_", "%%", "__", "e%e", "\\", "' OR 1=1 --", "\0", ""])
def test_signs_of_the_search_mean_themselves(office: Office, text: str) -> None:
    frameworks = of(office)
    frameworks.import_file(office.ours.staff(), esco(row(1, "use databases"), row(2, "play the piano")))
    assert names(frameworks, office.ours.id, text) == []


def test_a_percent_sign_is_found_where_it_stands(office: Office) -> None:
    frameworks = of(office)
    frameworks.import_file(office.ours.staff(), SKILLS)
    assert names(frameworks, office.ours.id, "100%_") == ["Straße 100%_sicher"]


def test_importing_again_renews_and_changes_only_what_differs(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    first = frameworks.import_file(staff, SKILLS, file_name="skills_en.csv")
    again = frameworks.import_file(staff, SKILLS, file_name="skills_en.csv")
    assert again.framework.id == first.framework.id
    assert (again.renewal.added, again.renewal.changed, again.renewal.removed) == (0, 0, 0)
    assert again.renewal.unchanged == 5
    (piano,) = frameworks.search(office.ours.id, "piano").skills
    newer = esco(row(1, "use databases"), row(4, "play the grand piano"), row(6, "sing"))
    renewed = frameworks.import_file(staff, newer, file_name="skills_en.csv", version="2")
    assert (renewed.renewal.added, renewed.renewal.changed, renewed.renewal.removed) == (1, 2, 3)
    assert (renewed.framework.items, renewed.framework.version) == (3, "2")
    (kept,) = frameworks.search(office.ours.id, "piano").skills
    assert (kept.id, kept.name) == (piano.id, "play the grand piano")
    assert len(frameworks.list(office.ours.id)) == 1


def test_two_languages_stand_beside_each_other_and_the_readers_comes_first(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    frameworks.import_file(staff, esco(row(1, "SQL")), file_name="skills_en.csv")
    frameworks.import_file(staff, esco(row(1, "SQL")), file_name="skills_de.csv")
    assert len(frameworks.list(office.ours.id)) == 2
    for language in ("de", "en"):
        found = frameworks.search(office.ours.id, "sql", language=language).skills
        assert found[0].language == language


def test_more_skills_than_a_database_binds_at_once_are_renewed(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    frameworks.import_file(staff, esco(*(row(n, f"skill number {n}") for n in range(3_000))))
    renewed = frameworks.import_file(staff, esco(*(row(n, f"skill number {n}") for n in range(2_500, 5_500))))
    assert (renewed.renewal.added, renewed.renewal.removed, renewed.renewal.unchanged) == (2_500, 2_500, 500)
    found = frameworks.search(office.ours.id, "skill number")
    assert (len(found.skills), found.has_more) == (RESULTS, True)


def test_two_who_import_the_same_framework_at_once_both_succeed(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    start = threading.Barrier(2)

    def take(content: bytes) -> int:
        start.wait()
        return frameworks.import_file(staff, content).framework.items

    tables_of_skills = [
        esco(*(row(n, f"{word} number {n}") for n in range(first, first + 600)))
        for word, first in (("skill", 0), ("ability", 300))
    ]
    with ThreadPoolExecutor(2) as pool:
        # At first there is no such framework, then both renew it, each in the order of its file.
        for _ in range(3):
            assert list(pool.map(take, tables_of_skills)) == [600, 600]
            assert [one.items for one in frameworks.list(office.ours.id)] == [600]


def test_a_renewal_in_which_every_skill_changed_takes_few_statements(small_office: Office) -> None:
    """One statement for each of 14,000 held SQLite's only writer for longer than others wait for it."""
    frameworks, staff = of(small_office), small_office.ours.staff()
    frameworks.import_file(staff, esco(*(row(n, f"skill number {n}") for n in range(2_000))))
    with small_office.database.statements() as statements:
        renewed = frameworks.import_file(staff, esco(*(row(n, f"ability {n}") for n in range(2_000))))
    assert (renewed.renewal.added, renewed.renewal.changed, renewed.renewal.unchanged) == (0, 2_000, 0)
    assert len(statements) < 30


def test_a_broken_file_changes_nothing(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    frameworks.import_file(staff, SKILLS)
    with pytest.raises(RequestInvalid) as refused:
        frameworks.import_file(staff, SKILLS + row(9, "").encode())
    assert refused.value.code is ErrorCode.FRAMEWORK_FILE_INVALID
    assert (refused.value.params["problem"], refused.value.params["line"]) == (
        FileProblem.NAME_MISSING,
        "line 8",
    )
    assert frameworks.list(office.ours.id)[0].items == 5
    assert office.actions(office.ours).count("framework.imported") == 1


def test_another_organisation_sees_finds_and_removes_nothing_of_it(office: Office) -> None:
    frameworks = of(office)
    ours = frameworks.import_file(office.ours.staff(), SKILLS)
    theirs = frameworks.import_file(office.theirs.staff(), json.dumps(case()).encode())
    assert [one.id for one in frameworks.list(office.theirs.id)] == [theirs.framework.id]
    assert names(frameworks, office.theirs.id, "database") == []
    with pytest.raises(NotFound):
        frameworks.framework(office.theirs.id, ours.framework.id)
    with pytest.raises(NotFound):
        frameworks.remove(office.theirs.staff(), ours.framework.id)
    # The same file is theirs as well, and neither import touches the other.
    frameworks.import_file(office.theirs.staff(), esco(row(1, "another name")))
    assert names(frameworks, office.ours.id, "another") == []
    assert frameworks.list(office.ours.id)[0].items == 5


def test_a_course_of_another_organisation_takes_no_skill_by_its_id(office: Office) -> None:
    frameworks = of(office)
    frameworks.import_file(office.ours.staff(), SKILLS)
    (skill,) = frameworks.search(office.ours.id, "piano").skills
    mine = session_of(office.ours.course, office.ours.learner_id, can_configure=True)
    assert frameworks.skill(mine, skill.id) == skill
    with pytest.raises(NotFound):
        frameworks.skill(
            session_of(office.theirs.course, office.theirs.learner_id, can_configure=True), skill.id
        )


def test_a_learner_searches_nothing(office: Office) -> None:
    frameworks = of(office)
    frameworks.import_file(office.ours.staff(), SKILLS)
    learner = session_of(office.ours.course, office.ours.learner_id, can_configure=False)
    with pytest.raises(NotAllowed):
        frameworks.search_in_course(learner, "piano")
    (skill,) = frameworks.search(office.ours.id, "piano").skills
    with pytest.raises(NotAllowed):
        frameworks.skill(learner, skill.id)


@pytest.mark.parametrize("role", list(StaffRole))
def test_who_may_edit_micromodules_may_import_and_remove(small_office: Office, role: StaffRole) -> None:
    frameworks, staff = of(small_office), small_office.ours.staff(role)
    there = frameworks.import_file(small_office.ours.staff(), SKILLS)
    if Permission.EDIT_MICROMODULES in permits(role):
        frameworks.import_file(staff, SKILLS)
        frameworks.remove(staff, there.framework.id)
        assert "framework.removed" in small_office.actions(small_office.ours)
        return
    with pytest.raises(NotAllowed):
        frameworks.import_file(staff, SKILLS)
    with pytest.raises(NotAllowed):
        frameworks.remove(staff, there.framework.id)


def test_removing_takes_the_skills_along_and_says_when_there_is_nothing_to_search(office: Office) -> None:
    frameworks, staff = of(office), office.ours.staff()
    imported = frameworks.import_file(staff, SKILLS)
    assert frameworks.search(office.ours.id, "nothing of it").has_frameworks
    frameworks.remove(staff, imported.framework.id)
    found = frameworks.search(office.ours.id, "piano")
    assert (found.skills, found.has_frameworks) == ((), False)
    with office.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(tables.FrameworkItem)) == 0


def test_a_letter_is_too_short_to_search_by(small_office: Office) -> None:
    found = of(small_office).search(small_office.ours.id, " a ")
    assert (found.is_too_short, found.skills) == (True, ())
