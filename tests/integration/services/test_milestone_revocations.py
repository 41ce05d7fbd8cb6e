"""Milestones that ask for completions whose badges were revoked: they say so, as courses do."""

from __future__ import annotations

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import Completed
from lti_tool.domain.evidence import Detail
from lti_tool.services.criteria_format import parse_evidence
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import tables
from tests.integration.services.milestone_campus import Campus
from tests.integration.services.school import School


def test_a_revoked_completion_is_told_from_one_that_never_was(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1, 2)
    campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    ada = campus.learner()
    school.issuing.issue_for(campus.complete(ada, 0))
    for credential in school.rows(tables.Credential):
        school.revoking.revoke(credential.id, "The grade was another's.", "cli", is_repeatable=False)
    campus.complete(ada, 1)

    found = campus.decision(ada)
    facts = parse_evidence(found.evidence).facts
    said = {key: (fact.holds, fact.detail) for key, fact in facts.items()}
    of = [Completed(campus.micromodule(number), "").key for number in range(3)]
    assert found.verdict == Verdict.NOT_YET
    assert [said[key] for key in of] == [(False, Detail.REVOKED), (True, ""), (False, "")]
