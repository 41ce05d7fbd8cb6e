"""Platforms: the standard by default, and each departure with its reason."""

from __future__ import annotations

import pytest

from lti_tool.platforms import PLATFORMS, QUIRKS, GateKind, ScoreRefusal, platform_for

ISSUER = "https://moodle.example.edu"
COLUMN = f"{ISSUER}/mod/lti/services.php/2/lineitems/13/lineitem?type_id=1"
HOSTILE_HINTS = [
    "",
    "6",
    "null",
    "[]",
    '{"cmid": null}',
    '{"cmid": true}',
    '{"cmid": 6.5}',
    '{"cmid": "6&evil=1"}',
    '{"cmid": "٦"}',
    '{"cmid": "../../x"}',
    '{"cmid": 6',
    '{"a":' * 5000,
    '{"cmid": 6, "x": "' + "y" * 3000 + '"}',
]


def test_quirks_have_unique_keys_and_say_where_they_were_read():
    keys = [quirk.key for quirk in QUIRKS]
    assert len(keys) == len(set(keys)) >= 10
    assert all(quirk.symptom and quirk.source and quirk.version and quirk.lms for quirk in QUIRKS)


def test_unknown_products_behave_as_the_standard_says():
    assert platform_for("sakai") is PLATFORMS["other"]
    standard = platform_for("other")
    assert standard.results_query() == {}
    assert standard.results_query("u1") == {"user_id": "u1"}
    assert standard.roster_query("Learner", "l1") == {"role": "Learner", "rlid": "l1"}
    assert standard.next_page_url("https://x/?p=AbC", {"role": "Learner"}) == "https://x/?p=AbC"
    assert standard.column_guidance(ISSUER, "2", COLUMN) is None
    assert standard.course_module_id({"lti_message_hint": '{"cmid":6}'}) is None
    assert standard.fresh_launch_url(ISSUER, "6") is None
    assert not standard.is_masquerading({"masquerade": "7"})
    with pytest.raises(ValueError, match="no gradebook formulas"):
        standard.formula_for(["quiz1"])


def test_moodle_never_sends_limit_on_results_or_line_items():
    moodle = platform_for("moodle")
    assert "limit" not in moodle.results_query()
    assert "limit" not in moodle.results_query("5")
    assert "limit" not in moodle.line_items_query()


def test_moodle_names_its_activity_in_the_login_hint():
    moodle = platform_for("moodle")
    hint = {"lti_message_hint": '{"cmid":6,"launchid":"ltilaunch1_2002179555"}'}
    assert moodle.course_module_id(hint) == "6"
    assert moodle.course_module_id({"lti_message_hint": '{"cmid":"12"}'}) == "12"
    assert moodle.fresh_launch_url(f"{ISSUER}/", "6") == f"{ISSUER}/mod/lti/launch.php?id=6"


@pytest.mark.parametrize("hint", HOSTILE_HINTS)
def test_a_hostile_login_hint_names_no_activity(hint):
    assert platform_for("moodle").course_module_id({"lti_message_hint": hint}) is None


@pytest.mark.parametrize("number", [None, "", "6&x=1", "6#", "-1", "1" * 19, "6\n"])
def test_a_page_of_moodle_is_only_made_of_digits(number):
    assert platform_for("moodle").fresh_launch_url(ISSUER, number) is None


@pytest.mark.parametrize(
    "issuer", ["javascript:alert(1)", "https://x/?a=", "https://x/#", "//x", "https://x\\y"]
)
def test_an_issuer_that_is_no_plain_address_leads_nowhere(issuer):
    moodle = platform_for("moodle")
    assert moodle.fresh_launch_url(issuer, "6") is None
    assert moodle.column_guidance(issuer, "2", COLUMN) is None


def test_moodle_leads_straight_to_the_pages_of_the_column():
    guidance = platform_for("moodle").column_guidance(ISSUER, "2", COLUMN)
    assert guidance is not None
    back = "gpr_type=edit&gpr_plugin=tree&gpr_courseid=2"
    assert guidance.formula_url == f"{ISSUER}/grade/edit/tree/calculation.php?courseid=2&id=13&{back}"
    assert guidance.weight_url == f"{ISSUER}/grade/edit/tree/item.php?courseid=2&id=13&{back}"
    assert guidance.grade_book_url == f"{ISSUER}/grade/edit/tree/index.php?id=2"


@pytest.mark.parametrize(
    "url,context",
    [
        (COLUMN, "3"),
        (f"{ISSUER}/mod/lti/services.php/2/lineitems/x/lineitem", "2"),
        ("", "2"),
        (COLUMN, "2 "),
    ],
)
def test_a_line_item_of_another_course_gives_no_guidance(url, context):
    assert platform_for("moodle").column_guidance(ISSUER, context, url) is None


def test_moodle_below_a_path_keeps_it():
    base = "https://campus.example.edu/moodle"
    column = f"{base}/mod/lti/services.php/2/lineitems/13/lineitem?type_id=1"
    guidance = platform_for("moodle").column_guidance(base, "2", column)
    assert guidance is not None
    assert guidance.formula_url.startswith(f"{base}/grade/edit/tree/calculation.php?")


@pytest.mark.parametrize(
    "names,formula",
    [
        (["quiz1"], "=[[quiz1]]"),
        ([" quiz 1 "], "=[[quiz 1]]"),
        (["quiz1", "quiz2"], "=([[quiz1]]+[[quiz2]])/2"),
    ],
)
def test_formulas_hold_no_separator_that_depends_on_the_language(names, formula):
    assert platform_for("moodle").formula_for(names) == formula
    assert not set(formula) & set(",;.")


@pytest.mark.parametrize("names", [[], [""], ["a]]*1000+[[b"], ["a\nb"]])
def test_an_id_number_cannot_break_out_of_its_formula(names):
    with pytest.raises(ValueError, match="id number"):
        platform_for("moodle").formula_for(names)


@pytest.mark.parametrize(
    "label,number",
    [("Quiz 1", "quiz1"), ("Prüfung", "prufung"), ("测验", "activity1"), ("[[x]]", "x"), ("", "activity1")],
)
def test_a_suggested_id_number_can_stand_in_a_formula(label, number):
    moodle = platform_for("moodle")
    assert moodle.suggested_id_number(label) == number
    assert moodle.formula_for([moodle.suggested_id_number(label)])


def test_moodle_gets_its_role_filter_back_on_the_next_page():
    moodle = platform_for("moodle")
    link = f"{ISSUER}/mod/lti/services.php/CourseSection/2/bindings/1/memberships?from=AbC%3D"
    again = moodle.next_page_url(link, {"role": "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"})
    assert again.startswith(f"{link}&role=http%3A%2F%2F")
    assert "%23Learner" in again
    assert moodle.next_page_url(again, {"role": "Learner"}) == again
    assert moodle.next_page_url(link, {}) == link


@pytest.mark.parametrize("product", ["moodle", "canvas", "other"])
def test_no_later_page_of_a_gates_list_is_one_of_the_whole_course(product):
    platform = platform_for(product)
    link = f"{ISSUER}/memberships?page=AbC%3D"
    assert platform.next_page_url(link, {"rlid": "5/a"}) == f"{link}&rlid=5%2Fa"
    assert platform.next_page_url(f"{link}&rlid=5", {"rlid": "5"}) == f"{link}&rlid=5"
    assert platform.next_page_url(f"{ISSUER}/memberships", {"rlid": "5"}) == f"{ISSUER}/memberships?rlid=5"
    assert platform.next_page_url(link, {}) == link


def test_short_roles_of_a_roster_give_the_same_rights_as_full_ones():
    moodle = platform_for("moodle")
    assert moodle.roster_rights(["Learner"]).is_learner
    assert not moodle.roster_rights(["Learner"]).is_staff
    assert moodle.roster_rights(["Instructor"]).is_staff
    assert moodle.roster_rights(["Instructor", "Learner"]).is_staff
    assert not moodle.roster_rights(["Superuser", ""]).is_learner


@pytest.mark.parametrize(
    "custom,acting",
    [
        ({"masquerade": "123"}, True),
        ({"masquerade": "$Canvas.masqueradingUser.id"}, False),
        ({"masquerade": ""}, False),
        ({"student_view": "true"}, True),
        ({"student_view": "false"}, False),
        ({}, False),
    ],
)
def test_canvas_tells_masquerading_by_custom_variables(custom, acting):
    assert platform_for("canvas").is_masquerading(custom) is acting


@pytest.mark.parametrize(
    "link,context,key,name",
    [
        ("course-1", "course-1", "k1", "course-1/k1"),
        ("course-1", "course-1", None, "course-1"),
        ("link-1", "course-1", "k1", "link-1"),
        ("link-1", None, "k1", "link-1"),
    ],
)
def test_canvas_links_in_a_page_are_told_apart_by_their_key(link, context, key, name):
    assert platform_for("canvas").link_id(link, context, key) == name
    assert platform_for("moodle").link_id(link, context, key) == link


def test_a_column_of_canvas_is_the_same_one_under_another_domain():
    canvas, path = platform_for("canvas"), "/api/lti/courses/1/line_items/7"
    assert canvas.line_item_name(f"https://a.instructure.com{path}") == path
    assert canvas.line_item_name(f"https://lms.a.example{path}") == path
    standard = platform_for("other")
    assert standard.line_item_name(COLUMN) == COLUMN, "elsewhere the query is part of its name"


def test_the_beta_and_test_copies_of_canvas_are_known():
    canvas = platform_for("canvas")
    production = "https://canvas.instructure.com"
    assert canvas.copied_issuer("https://canvas.beta.instructure.com") == production
    assert canvas.copied_issuer("https://canvas.test.instructure.com") == production
    assert canvas.copied_issuer(production) is None
    assert platform_for("moodle").copied_issuer("https://canvas.beta.instructure.com") is None


def test_only_canvas_has_a_token_url_for_each_institution():
    assert [name for name, each in PLATFORMS.items() if each.has_token_url_per_institution] == ["canvas"]


def test_canvas_asks_for_its_largest_pages():
    canvas = platform_for("canvas")
    assert canvas.results_query() == {"limit": "100"}
    assert canvas.results_query("7") == {"user_id": "7"}
    assert canvas.roster_query("Learner") == {"role": "Learner", "limit": "50"}
    assert canvas.line_items_query() == {"limit": "100"}
    assert canvas.default_frame_origins == ("https://*.instructure.com",)


@pytest.mark.parametrize(
    "product,status,body,refusal",
    [
        ("other", 409, b"", ScoreRefusal.STALE),
        ("other", 400, b"[]", ScoreRefusal.OTHER),
        ("other", 422, b"is not a student", ScoreRefusal.OTHER),
        ("other", 500, b"[]", ScoreRefusal.OTHER),
        ("moodle", 400, b"[]", ScoreRefusal.NOT_A_STUDENT),
        ("moodle", 400, b" []\n", ScoreRefusal.NOT_A_STUDENT),
        # A proxy's, or Moodle's own about the request, say nothing about the person.
        ("moodle", 400, b"<html>Bad Request</html>", ScoreRefusal.OTHER),
        ("moodle", 400, b'{"status":400,"reason":"No handler found"}', ScoreRefusal.OTHER),
        ("moodle", 400, b"", ScoreRefusal.OTHER),
        ("moodle", 403, b"[]", ScoreRefusal.OTHER),
        ("moodle", 409, b"[]", ScoreRefusal.STALE),
        ("moodle", 500, b"[]", ScoreRefusal.LOCKED),
        ("moodle", 500, b"<html>", ScoreRefusal.OTHER),
        (
            "canvas",
            422,
            b'{"errors":{"message":"User not found in course or is not a student"}}',
            ScoreRefusal.NOT_A_STUDENT,
        ),
        ("canvas", 422, b'{"errors":{"message":"The maximum number of attempts ..."}}', ScoreRefusal.OTHER),
        (
            "canvas",
            400,
            b'{"errors":{"message":"Provided timestamp of x before last updated timestamp of y"}}',
            ScoreRefusal.STALE,
        ),
        ("canvas", 400, b"param is missing or the value is empty", ScoreRefusal.OTHER),
        ("canvas", 400, b"[]", ScoreRefusal.OTHER),
    ],
)  # fmt: skip
def test_what_a_refused_score_means(product: str, status: int, body: bytes, refusal: ScoreRefusal):
    assert platform_for(product).score_refusal(status, body) is refusal


def test_an_award_is_no_attempt_in_canvas_and_replaces_no_teachers_grade():
    assert platform_for("canvas").award_score_extension() == {
        "https://canvas.instructure.com/lti/submission": {
            "new_submission": False,
            "prioritize_non_tool_grade": True,
        }
    }
    assert (
        platform_for("moodle").award_score_extension() == platform_for("other").award_score_extension() == {}
    )


def test_each_product_has_its_own_way_to_say_whom_a_link_is_for():
    kinds = {name: platform.gate_kind for name, platform in PLATFORMS.items()}
    assert kinds == {
        "moodle": GateKind.RESTRICT_ACCESS,
        "canvas": GateKind.ASSIGNED_TO,
        "other": GateKind.UNKNOWN,
    }


def test_moodle_leads_a_teacher_to_restrict_access_alone():
    """MOODLE_STEPS.md §3: two loads, and twenty words when it opens."""
    assert platform_for("moodle").gate_settings_url("https://moodle.example/sub/", "17") == (
        "https://moodle.example/sub/course/modedit.php?update=17&return=1"
        "&showonly=availabilityconditionsheader#id_availabilityconditionsheader"
    )


@pytest.mark.parametrize("number", [None, "", "17&x=1", "17#", "../1", "1e3", "٣", "1" * 19])
def test_no_page_of_moodle_is_made_from_what_is_no_number(number: str | None):
    assert platform_for("moodle").gate_settings_url("https://moodle.example", number) is None


@pytest.mark.parametrize(
    "issuer", ["javascript:alert(1)", "https://m.example/?a=b", "moodle", "https://m/\n"]
)
def test_no_page_of_moodle_is_made_from_what_is_no_origin(issuer: str):
    assert platform_for("moodle").gate_settings_url(issuer, "17") is None


def test_canvas_names_no_link_that_stands_in_a_page():
    canvas = platform_for("canvas")
    embedded = canvas.link_id("course", "course", "key")
    assert canvas.roster_link_id(embedded) is None
    assert canvas.roster_link_id(canvas.link_id("link", "course", "key")) == "link"
    assert platform_for("moodle").roster_link_id("5") == "5"


@pytest.mark.parametrize(
    "product,status,expected",
    [("moodle", 404, True), ("moodle", 400, False), ("canvas", 400, True), ("canvas", 404, True),
     ("other", 410, True), ("other", 403, False)],
)  # fmt: skip
def test_how_a_platform_says_that_it_does_not_know_a_link(product: str, status: int, expected: bool):
    assert platform_for(product).is_link_unknown(status) is expected
