"""The main job: a quiz in a Moodle or Canvas course earns its badge (S1 S2 S3 S7 S8 S11 T1 T2 T4)."""

from __future__ import annotations

import json

from sqlalchemy import select

from lti_tool.credentials.baking import unbake_png
from lti_tool.store.tables import Award, Credential, Learner, Membership, Result
from tests.journeys.campus import TOOL_URL, Campus, credential_of, row_of


def public(campus: Campus, path: str, accept: str = "application/vc+ld+json") -> tuple[int, bytes]:
    """What a stranger gets."""
    answer = campus.app.test_client().get(path, headers={"Accept": accept}, base_url=TOOL_URL)
    return answer.status_code, answer.get_data()


def verdict(campus: Campus, document: bytes) -> dict[str, object]:
    answer = campus.app.test_client().post(
        "/api/verify", data=document, content_type="application/vc+ld+json", base_url=TOOL_URL
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    report: dict[str, object] = answer.get_json()
    return report


def test_a_learner_below_the_bar_sees_what_is_missing(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 40)

    wallet = campus.open_wallet("ada", badge)

    assert wallet.status == 200
    assert "Quiz 1: at least 60" in wallet.words
    assert "40 of 100 points, 20 points more are needed" in wallet.words
    assert "From the gradebook column “Quiz 1” · read just now" in wallet.words
    assert "sharing" not in str(wallet.soup)


def test_a_learner_who_passes_has_the_badge_at_the_next_visit(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)

    wallet = campus.open_wallet("ada", badge)

    assert "Open Data Basics" in wallet.words
    share = wallet.form("sharing")
    assert share.fields


def test_a_learner_who_passes_has_the_badge_without_a_visit_within_two_minutes(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.learner("ada")
    campus.browser(campus.teacher).launch(badge.id)
    campus.pass_time(seconds=40)
    campus.take_quiz("ada", 85)

    campus.pass_time(seconds=120)

    with campus.tool.database.read() as session:
        (document,) = session.execute(select(Credential.document)).scalars()
    assert json.loads(document or "{}")["name"] == "Open Data Basics"


def test_a_shared_badge_is_public_and_verifies_and_a_private_one_is_not_there(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    path = credential_of(wallet)

    assert public(campus, f"/credentials/{path}")[0] == 404
    ada.submit(wallet, form="sharing")
    status, document = public(campus, f"/credentials/{path}")

    assert status == 200
    assert verdict(campus, document)["verdict"] == "valid"
    changed = document.replace(b"Open Data Basics", b"Open Data Master")
    assert verdict(campus, changed)["verdict"] == "invalid"
    status, page = public(campus, f"/credentials/{path}", accept="text/html")
    assert status == 200
    assert b"Open Data Basics" in page
    assert b"ada@" not in document

    again = ada.launch(badge.id)
    ada.submit(again, form="sharing")
    assert public(campus, f"/credentials/{path}")[0] == 404


def test_a_learner_keeps_a_badge_without_making_it_public(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)

    document = ada.get(wallet.link(".json"), page=wallet)
    picture = ada.get(wallet.link(".png"), page=wallet)

    assert document.headers["Content-Disposition"].startswith("attachment")
    assert verdict(campus, document.body)["verdict"] == "valid"
    assert unbake_png(picture.body).encode() == document.body
    assert public(campus, json.loads(document.body)["id"].removeprefix(TOOL_URL))[0] == 404


def test_a_revoked_badge_shows_revoked_everywhere(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    ada.submit(wallet, form="sharing")
    id_ = credential_of(wallet)
    _, document = public(campus, f"/credentials/{id_}")

    campus.tool.revoking.revoke(id_, "Issued by mistake", actor="cli")

    report = verdict(campus, document)
    assert report["verdict"] == "invalid"
    assert "revoked" in json.dumps(report)
    assert "revoked" in ada.launch(badge.id).words.lower()
    assert b"This badge was revoked." in public(campus, f"/credentials/{id_}", accept="text/html")[1]
    page = campus.app.test_client().post("/verify", data={"text": document.decode()}, base_url=TOOL_URL)
    assert "revoked" in page.get_data(as_text=True)


def test_a_course_without_a_micromodule_shows_the_wallet_and_says_why_no_badge_is_issued(
    campus: Campus,
) -> None:
    teacher = campus.browser(campus.teacher)
    # Where there is nothing to choose, the form opens; the rest is behind its way back.
    picker = teacher.follow(teacher.deep_link(campus.course), "/picker?all")
    answer = teacher.submit(picker, form="/picker", button="wallet")
    (activity,) = teacher.save_selected(answer)

    assert "No badge is issued in this course." in teacher.launch(activity.id).words
    wallet = campus.open_wallet("ada", activity)
    assert wallet.status == 200
    assert "No badge is issued in this course. Badges are reserved for micromodules." in wallet.words
    assert "No badge yet." in wallet.words

    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    second = campus.another_course("HIST", "History of Data", "ada")
    picker = teacher.deep_link(second)
    answer = teacher.submit(picker, form="/picker", button="wallet")
    (activity,) = teacher.save_selected(answer)
    wallet = campus.open_wallet("ada", activity)
    assert "No badge is issued in this course." in wallet.words
    assert credential_of(wallet), "badges from elsewhere are in every wallet"


def test_a_badge_says_who_issued_it_for_what_and_on_which_evidence(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)

    document = json.loads(ada.get(wallet.link(".json"), page=wallet).body)

    achievement = document["credentialSubject"]["achievement"]
    assert document["issuer"]["name"] == "Open Learning"
    assert "Quiz 1: at least 60 %" in achievement["criteria"]["narrative"]
    assert achievement["tag"] == ["Finding open data", "Judging data quality"]
    assert achievement["image"]["caption"] == "Hexagonal badge with a database symbol"
    assert campus.lms.endpoints["issuer"] in document["evidence"][0]["narrative"]
    assert not {"Ada", "ada@example.test"} & set(json.dumps(document).replace('"', " ").split())
    for path in (document["issuer"]["url"], achievement["criteria"]["id"], achievement["image"]["id"]):
        path = path.removeprefix(TOOL_URL).partition("#")[0]
        assert public(campus, path, accept="text/html,image/*")[0] == 200


def test_the_teacher_is_led_to_the_formula_and_the_tool_never_writes_into_the_mirror(
    moodle_campus: Campus,
) -> None:
    campus = moodle_campus
    activity = campus.place_badge()
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(activity.id)
    assert "Then set weight 0, or it counts in the total." in page.words
    assert "Recalculating grades" in page.words
    assert "ID numbers" in page.words
    (mirror,) = campus.mirrors()
    for link in ("Open the formula page", "Open weight and visibility"):
        (anchor,) = (anchor for anchor in page.soup.find_all("a") if link in anchor.get_text())
        assert anchor["target"] == "_blank"
        assert f"id={mirror.id}" in anchor["href"]
        assert teacher.get(str(anchor["href"])).status == 200

    campus.lms.set_formula(mirror, "=[[quiz1]]")
    campus.publish(activity)
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", activity)
    campus.pass_time(minutes=5)

    assert campus.holders() == ["Ada Learner"]
    assert mirror.maximum == 100
    written = [
        (method, path)
        for method, path, _ in campus.lms.requests
        if "/services.php/" in path and method in ("POST", "PUT", "DELETE")
    ]
    (created, award) = written
    assert created[0] == "POST"
    assert "/scores" not in created[1]
    assert f"/{mirror.id}/" not in award[1], "the award goes into the column of the link, and nothing else"


def test_two_frames_of_one_page_stay_usable_beside_each_other(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    first, second = ada.launch(badge.id), ada.launch(badge.id)
    path = f"/credentials/{credential_of(first)}"

    ada.submit(first, form="sharing")
    assert public(campus, path)[0] == 200
    ada.submit(second, {"is_public": "no"}, form="sharing")
    assert public(campus, path)[0] == 404


def test_staff_are_never_awarded_whatever_the_roster_calls_them(moodle_campus: Campus) -> None:
    """Moodle's roster calls a non-editing teacher "Learner"; at launch he is an instructor."""
    campus = moodle_campus
    badge = campus.placed_badge()
    campus.learner("ada")
    campus.browser(campus.tutor).launch(badge.id)
    for person in (campus.learner("ada"), campus.tutor):
        campus.lms.take_quiz(person, campus.quiz, 100)
    campus.pass_time(seconds=200)

    with campus.tool.database.read() as session:
        awarded = session.execute(select(Learner.sub).join(Award, Award.learner_id == Learner.id)).scalars()
        assert set(awarded) == {str(campus.learner("ada").id)}
        tutor = select(Membership.is_staff).join(Learner).where(Learner.sub == str(campus.tutor.id))
        assert session.execute(tutor).scalar_one()
        results = select(Result.score).join(Learner).where(Learner.sub == str(campus.tutor.id))
        assert session.execute(results).scalar_one() == 100


def test_the_instructor_sees_who_is_how_far(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.take_quiz("bob", 40)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    teacher.submit(page, form="/course/sync")
    campus.run_jobs()

    page = teacher.launch(badge.id)

    assert "Earned" in row_of(page, "Ada Learner")
    assert "Not yet" in row_of(page, "Bob Learner")
    assert "40 of 100" in row_of(page, "Bob Learner")


def test_the_wallet_works_with_and_without_cookies_in_the_frame(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)

    for cookies in ("all", "partitioned_only"):
        assert campus.open_wallet("ada", badge, cookies=cookies).status == 200
    without = campus.open_wallet("ada", badge, cookies="none")
    if campus.product == "canvas":  # whose storage frame keeps the login's secret
        assert without.status == 200
        assert credential_of(without)
    else:
        assert 400 <= without.status < 500
        assert "/mod/lti/launch.php?id=" in without.body.decode()
