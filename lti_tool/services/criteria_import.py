"""Criteria from a file: read, checked, and turned into rows if rows can show them."""

from __future__ import annotations

import json
from typing import Final

from lti_tool.errors import RequestInvalid
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import Rules
from lti_tool.services.criteria_tree import CriteriaNotShown, from_criterion
from lti_tool.services.form_problems import FormProblem, Problem

FIELD: Final = "criteria_json"
LARGEST: Final = 100
"""Kilobytes; fifty rules with every text as long as it may be are less."""


class ImportRefused(Exception):
    """Nothing was taken over, for the reason that ``problem`` tells."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code.value)
        self.problem = problem


def import_rules(text: str) -> Rules:
    """The rows and groups of criteria in their stored format, as exported.

    :raises ImportRefused: where it is not such a file, or says what rows cannot show exactly.
    """
    if not text.strip():
        raise _refused(FormProblem.IMPORT_EMPTY)
    if len(text.encode(errors="surrogatepass")) > LARGEST * 1024:
        raise _refused(FormProblem.IMPORT_TOO_LARGE, limit=LARGEST)
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(FormProblem.IMPORT_NOT_JSON) from error
    if not isinstance(stored, dict):
        raise _refused(FormProblem.IMPORT_NOT_CRITERIA, problems=("schema",))
    try:
        return from_criterion(parse_criteria(stored))
    except RequestInvalid as error:
        problems = error.params.get("problems", ("schema",))
        raise _refused(FormProblem.IMPORT_NOT_CRITERIA, problems=problems) from error
    except CriteriaNotShown as error:
        raise _refused(FormProblem.IMPORT_NOT_SHOWN) from error


def _refused(code: FormProblem, **params: object) -> ImportRefused:
    return ImportRefused(Problem(FIELD, code, params))
