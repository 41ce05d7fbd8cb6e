"""Moodle: seen on 4.4dev (build 20231124), read in 4.2.3 and 5.0dev, where the same lines stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from lti_tool.platforms.spec import (
    ColumnGuidance,
    ConnectionGuidance,
    ConnectionSteps,
    GateKind,
    Platform,
    Quirk,
    ScoreRefusal,
    TotalOptOut,
    origin_path,
    with_lost,
)

_SEEN = "4.2-5.0"
_SERVICES = "mod/lti/service"
_LINE_ITEM_PATH = re.compile(r"/mod/lti/services\.php/(\d{1,18})/lineitems/(\d{1,18})/lineitem")
_NUMBER = re.compile(r"[0-9]{1,18}")


class Moodle(Platform):
    """Moodle as an LTI 1.3 platform (``mod_lti``)."""

    product: ClassVar[str] = "moodle"
    permission_place: ClassVar[str | None] = (
        "Site administration › Plugins › External tool › Manage tools › (the tool's gear) › Services"
    )
    permission_settings: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **dict.fromkeys(
                ("lineitem", "lineitem.readonly", "result.readonly", "score"),
                "IMS LTI Assignment and Grade Services: "
                "Use this service for grade sync and column management",
            ),
            "contextmembership.readonly": (
                "IMS LTI Names and Role Provisioning: "
                "Use this service to retrieve members' information as per privacy settings"
            ),
        }
    )
    supports_mirror: ClassVar[bool] = True
    gate_kind: ClassVar[GateKind] = GateKind.RESTRICT_ACCESS
    total_opt_out: ClassVar[TotalOptOut] = TotalOptOut.WEIGHT
    roster_tells_staff: ClassVar[bool] = False
    may_have_storage: ClassVar[bool] = False
    shows_return_message: ClassVar[bool] = False
    takes_embedded: ClassVar[bool] = False
    honours_windows: ClassVar[bool] = False
    connection_steps: ClassVar[ConnectionSteps] = ConnectionSteps.ACTIVATE
    quirks: ClassVar[tuple[Quirk, ...]] = (
        Quirk(
            "moodle-results-limit",
            "Moodle",
            _SEEN,
            "A results request with limit and type_id answers 404 with an HTML page; without it returns all.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/results.php",
        ),
        Quirk(
            "moodle-line-items-limit",
            "Moodle",
            _SEEN,
            "A line item list with limit has a Link header with typographic quotes and &amp; that no parser "
            "follows; without limit it returns all.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/lineitems.php",
        ),
        Quirk(
            "moodle-roster-next-loses-role",
            "Moodle",
            _SEEN,
            "The next link of a paged roster has lost the role filter, so later pages list everybody.",
            f"{_SERVICES}/memberships/classes/local/resources/contextmemberships.php",
        ),
        Quirk(
            "moodle-roster-short-roles",
            "Moodle",
            _SEEN,
            "Roster entries carry the short names Learner and Instructor where launches carry full URIs.",
            f"{_SERVICES}/memberships/classes/local/service/memberships.php",
        ),
        Quirk(
            "moodle-roster-non-editing-teacher",
            "Moodle",
            _SEEN,
            "A non-editing teacher is Instructor at launch, Learner in the roster: it never clears staff.",
            "mod/lti/locallib.php lti_get_ims_role",
        ),
        Quirk(
            "moodle-score-for-non-student",
            "Moodle",
            _SEEN,
            "A score for somebody without a gradebook role (a non-editing teacher too) is refused with 400 "
            "and the empty list; nothing in a well-formed score has the same answer.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/scores.php",
        ),
        Quirk(
            "moodle-score-stale",
            "Moodle",
            _SEEN,
            "A score in the same second as the grade, or before it, is refused with 409.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/scores.php",
        ),
        Quirk(
            "moodle-score-locked",
            "Moodle",
            _SEEN,
            "A score into a locked column or grade is refused with 500 and the empty list.",
            f"{_SERVICES}/gradebookservices/classes/local/service/gradebookservices.php save_grade_item",
        ),
        Quirk(
            "moodle-score-clears",
            "Moodle",
            _SEEN,
            "Any gradingProgress but FullyGraded, or no scoreGiven, clears the grade: neither is ever sent.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/scores.php",
        ),
        Quirk(
            "moodle-roster-claim-missing",
            "Moodle",
            _SEEN,
            "The roster claim is absent until the course holds an activity of the tool: the first deep "
            "linking request has none.",
            "mod/lti/classes/local/ltiservice/service_base.php is_used_in_context",
        ),
        Quirk(
            "moodle-services-url-query",
            "Moodle",
            _SEEN,
            "Line item URLs carry ?type_id=; /results goes into the path before it.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/lineitem.php",
        ),
        Quirk(
            "moodle-result-without-score",
            "Moodle",
            _SEEN,
            "A grade emptied by a changed formula is listed without resultScore, timestamp and scoreOf.",
            f"{_SERVICES}/gradebookservices/classes/local/service/gradebookservices.php result_to_json",
        ),
        Quirk(
            "moodle-return-message",
            "Moodle",
            _SEEN,
            "A return with a message shows the message on a page of its own, embedded without a way on, "
            "instead of the course; so only codes for logs are sent.",
            "mod/lti/return.php",
        ),
        Quirk(
            "moodle-token-content-type",
            "Moodle",
            _SEEN,
            "The token endpoint answers JSON as text/html, and some errors as bare text.",
            "mod/lti/token.php",
        ),
        Quirk(
            "moodle-duplicate-line-items",
            "Moodle",
            _SEEN,
            "A second line item with the same resourceId and tag is created silently: search before that.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/lineitems.php",
        ),
        Quirk(
            "moodle-mirror-read-only",
            "Moodle",
            _SEEN,
            "A score posted to a calculated column, or a changed maximum, marks grades as overridden and "
            "ends the calculation: a mirror is only ever read.",
            "lib/grade/grade_item.php rescale_grades_keep_percentage",
        ),
        Quirk(
            "moodle-mirror-same-result",
            "Moodle",
            _SEEN,
            "A calculated column keeps the date of a grade when the activity is graded anew with the same "
            "result, so nothing tells a new attempt from the former one.",
            "lib/grade/grade_item.php use_formula",
        ),
        Quirk(
            "moodle-unenrolled-grades",
            "Moodle",
            _SEEN,
            "Whoever is unenrolled loses all grades of the course at once, and does not have them again "
            "after coming back.",
            "lib/gradelib.php grade_user_unenrol",
        ),
        Quirk(
            "moodle-formula-separators",
            "Moodle",
            _SEEN,
            "List and decimal separators of a formula follow the teacher's language: formulas use neither.",
            "lib/mathslib.php calc_formula::localize",
        ),
        Quirk(
            "moodle-roster-restricted",
            "Moodle",
            _SEEN,
            "The roster of a link (rlid) leaves out whom the activity's Restrict access keeps out. Where "
            "nothing is restricted, or the activity is merely hidden, it lists everybody: a person has to "
            "say that it is a gate.",
            f"{_SERVICES}/memberships/classes/local/resources/contextmemberships.php",
        ),
        Quirk(
            "moodle-teachers-pass-restrictions",
            "Moodle",
            _SEEN,
            "Teachers of both kinds pass every restriction, and the non-editing ones are called Learner "
            "there.",
            "moodle/course:ignoreavailabilityrestrictions",
        ),
        Quirk(
            "moodle-settings-of-one-section",
            "Moodle",
            _SEEN,
            "The form of an activity shows one section alone with showonly; where that is not known, the "
            "anchor leads to the section, which stays folded.",
            "course/modedit.php, lib/formslib.php",
        ),
        Quirk(
            "moodle-registration-scopes",
            "Moodle",
            _SEEN,
            "The answer to a registration names the scope lineitem where only reading was granted: what is "
            "granted is believed from launches and token answers alone.",
            "mod/lti/classes/local/ltiopenid/registration_helper.php config_to_registration",
        ),
        Quirk(
            "moodle-registration-token-once",
            "Moodle",
            _SEEN,
            "The registration endpoint answers 200 instead of 201, and errors as bare text; its token works "
            "once, so a registration that failed there begins again in Moodle.",
            "mod/lti/openid-registration.php",
        ),
        Quirk(
            "moodle-tool-pending",
            "Moodle",
            _SEEN,
            "A tool that registered itself is pending until it is activated, and then hidden from the "
            "activity chooser until its configuration usage, or each course, says otherwise.",
            "mod/lti/classes/local/ltiopenid/registration_helper.php registration_to_config",
        ),
        Quirk(
            "moodle-content-items",
            "Moodle",
            _SEEN,
            "A content item of any type becomes an LTI activity, and available, submission, thumbnail and "
            "the column's label are ignored.",
            "mod/lti/locallib.php content_item_to_form",
        ),
        Quirk(
            "moodle-line-item-put",
            "Moodle",
            _SEEN,
            "A PUT with another scoreMaximum rescales every grade and marks it overridden, which ends a "
            "column's calculation; a tag, resourceId or link that is left out is emptied.",
            f"{_SERVICES}/gradebookservices/classes/local/resources/lineitem.php process_put_request",
        ),
        Quirk(
            "moodle-copied-course",
            "Moodle",
            _SEEN,
            "A copied or restored course has new ids for context and links; custom parameters, tags, "
            "resourceIds, the columns made by tools, their formulas and Restrict access come along. Its "
            "context history names the courses before it, the nearest first, an imported activity adds "
            "nothing to it, and there is no link history.",
            "mod/lti/locallib.php get_course_history, backup/moodle2/restore_stepslib.php",
        ),
        Quirk(
            "moodle-course-reset",
            "Moodle",
            _SEEN,
            "A reset course keeps its ids; grades, completion and, if so chosen, the learners are gone.",
            "lib/moodlelib.php reset_course_userdata",
        ),
        Quirk(
            "moodle-login-hint-cmid",
            "Moodle",
            _SEEN,
            "lti_message_hint is JSON that names the course module, which leads back to the launch page.",
            "mod/lti/locallib.php lti_build_login_request",
        ),
    )

    def connection_guidance(
        self,
        issuer: str,
        site: str,  # noqa: ARG002 - a Moodle is its own issuer
    ) -> ConnectionGuidance | None:
        """The page "Manage tools", with the tool's card."""
        base = origin_path(issuer)
        return None if base is None else ConnectionGuidance(f"{base}/mod/lti/toolconfigure.php")

    def course_module_id(self, login_parameters: Mapping[str, str]) -> str | None:
        """``cmid`` of the JSON in ``lti_message_hint``; anything else gives ``None``."""
        hint = login_parameters.get("lti_message_hint", "")
        if not hint.startswith("{") or len(hint) > 2000:
            return None
        try:
            decoded = json.loads(hint)
        except (ValueError, RecursionError):
            return None
        cmid = decoded.get("cmid") if isinstance(decoded, dict) else None
        text = str(cmid) if isinstance(cmid, int | str) and not isinstance(cmid, bool) else ""
        return text if _NUMBER.fullmatch(text) else None

    def fresh_launch_url(self, issuer: str, course_module_id: str | None) -> str | None:
        """Moodle's page that launches an activity without a frame around it.

        The number came by way of a browser: digits only, or no page.
        """
        base = origin_path(issuer)
        if base is None or course_module_id is None or not _NUMBER.fullmatch(course_module_id):
            return None
        return f"{base}/mod/lti/launch.php?id={course_module_id}"

    def gate_settings_url(self, issuer: str, course_module_id: str | None) -> str | None:
        """The activity's form, its section "Restrict access" alone and open; see :meth:`fresh_launch_url`."""
        base = origin_path(issuer)
        if base is None or course_module_id is None or not _NUMBER.fullmatch(course_module_id):
            return None
        query = f"update={course_module_id}&return=1&showonly=availabilityconditionsheader"
        return f"{base}/course/modedit.php?{query}#id_availabilityconditionsheader"

    def score_refusal(self, status: int, body: bytes) -> ScoreRefusal:
        """Moodle says why in the status line, which gets lost on the way; its body is the empty list."""
        if body.strip() == b"[]":
            if status == 400:
                return ScoreRefusal.NOT_A_STUDENT
            if status == 500:
                return ScoreRefusal.LOCKED
        return super().score_refusal(status, body)

    def next_page_url(self, link_next: str, requested: Mapping[str, str]) -> str:
        """Moodle's next link has lost the role filter: put it back, leave the rest as it stands."""
        return with_lost(super().next_page_url(link_next, requested), "role", requested)

    def column_guidance(
        self, issuer: str, context_id_on_platform: str, line_item_url: str
    ) -> ColumnGuidance | None:
        """The number in the line item URL is the grade item id, which the gradebook's pages take."""
        found = _LINE_ITEM_PATH.search(urlsplit(line_item_url).path)
        base = origin_path(issuer)
        if found is None or base is None or found[1] != context_id_on_platform:
            return None
        course, item = found[1], found[2]
        # Without gpr_* these pages lead to the last used report; with them back to the gradebook's set-up.
        back = {"gpr_type": "edit", "gpr_plugin": "tree", "gpr_courseid": course}
        query = urlencode({"courseid": course, "id": item, **back})
        return ColumnGuidance(
            formula_url=f"{base}/grade/edit/tree/calculation.php?{query}",
            weight_url=f"{base}/grade/edit/tree/item.php?{query}",
            grade_book_url=f"{base}/grade/edit/tree/index.php?id={course}",
        )

    def formula_for(self, id_numbers: Sequence[str]) -> str:
        """``=[[quiz1]]``; of several the mean, written without separators, which depend on the language."""
        names = [name.strip() for name in id_numbers]
        if not names or any(not name or set(name) & set("[]\r\n") for name in names):
            raise ValueError("an id number is missing, or holds a bracket or a line break")
        if len(names) == 1:
            return f"=[[{names[0]}]]"
        total = "+".join(f"[[{name}]]" for name in names)
        return f"=({total})/{len(names)}"
