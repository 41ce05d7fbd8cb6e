"""The components page: every macro of ``templates/components``, in every state it can have."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, Flask, render_template

from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import AllOf, AnyOf, AtLeast
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence
from lti_tool.domain.freshness import Staleness
from lti_tool.domain.pathways import Standing
from lti_tool.errors import ErrorCode
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.pathways import Beside
from lti_tool.web.criteria_words import describe, explain
from lti_tool.web.forms import FormView
from lti_tool.web.next_steps import for_staff
from lti_tool.web.pathway_map import draw
from lti_tool.web.staff.gate import Typed
from lti_tool.web.staff.issuers import ALGORITHMS, LIMITS
from tests.unit.web import currency_views, ending_views, milestone_views, pathway_views, version_views
from tests.unit.web.detail_views import DETAILS
from tests.unit.web.endorsement_views import ACCEPTED, IMPORTED, OFFERED
from tests.unit.web.form_views import FORM
from tests.unit.web.sample_views import (
    ESSAY,
    FORUM,
    LONG_WORD,
    NOW,
    PEER,
    QUIZ,
    TREE,
    earned,
    everything,
    freshness,
    score,
)
from tests.unit.web.staff_views import HOLDERS, KEYS, REISSUES, issuer

blueprint = Blueprint("components", __name__, template_folder="templates")

RIGHT_TO_LEFT = "مبادئ البيانات المفتوحة"
"""An Arabic title, "principles of open data": people write titles in other scripts than the page's."""

EVIDENCE = {
    "everything": Evidence({key: score("95") for key in ("quiz-1", "essay", "peer-review", "forum")}),
    "something": Evidence({"quiz-1": score("40"), "essay": score("15", "20"), "forum": score("0")}),
    "nothing": Evidence({}),
}
"""What may be known about a learner."""


def register(app: Flask) -> None:
    """Add the page to the sample pages; the product does not have it."""
    app.register_blueprint(blueprint)


@blueprint.get("/_components")
def show() -> str:
    """Every component in every state."""
    deep = AllOf((QUIZ, AnyOf((ESSAY, AtLeast(2, (PEER, FORUM, QUIZ))))))
    form = MicromoduleForm.from_fields(FORM)
    problems = (
        Problem("with-problem", FormProblem.REQUIRED),
        Problem("colour-with-problem", FormProblem.CONTRAST_TOO_LOW),
    )
    return render_template(
        "components.html",
        now=NOW,
        details=DETAILS,
        badges=HOLDERS["usual"].badges,
        dated_badges=(
            earned(1, state=BadgeState.EXPIRED, valid_until=NOW - timedelta(days=1)),
            earned(2, valid_until=NOW + timedelta(days=300)),
        ),
        pictured=issuer(picture_id="picture-1"),
        keys=KEYS,
        endings=ending_views.ENDINGS.values(),
        ending_list=ending_views.LISTS["usual"],
        cards=milestone_views.CARDS,
        care_page=currency_views.LISTS["usual"],
        care=currency_views.SUBJECTS["reviewed"],
        place=version_views.OF_SECOND,
        newer=(
            earned(3, place=version_views.STAYS),
            earned(2, place=version_views.OF_FIRST, valid_until=NOW + timedelta(days=30)),
        ),
        standings=[standing.value for standing in Standing],
        beside=Beside("achievement-1", (pathway_views.row(LONG_WORD, has_badge=False),)),
        drawn=draw(pathway_views.USUAL, lambda need: f"2 of 3: {need.name}"),
        around=pathway_views.AROUND.opens,
        reissues=REISSUES.values(),
        given=(ACCEPTED, IMPORTED, replace(OFFERED, comment=RIGHT_TO_LEFT)),
        issuer_form=Typed({"name": LONG_WORD, "token_algorithm": "ES256", "offers_refresh": "on"}),
        issuer_limits=LIMITS,
        algorithms=ALGORITHMS,
        soon_at=NOW + timedelta(minutes=12),
        freshnesses=[freshness(staleness) for staleness in (None, *Staleness)],
        days_ago=NOW - timedelta(days=12),
        word=LONG_WORD,
        arabic=RIGHT_TO_LEFT,
        explained={name: explain(evaluate(deep, evidence)) for name, evidence in EVIDENCE.items()},
        described=describe(TREE),
        folded=explain(everything().finding, for_staff(comments={"report": f"{LONG_WORD} {RIGHT_TO_LEFT}"})),
        single=explain(evaluate(QUIZ, EVIDENCE["something"])),
        quiet=FormView(form),
        troubled_form=FormView(form, problems),
        page_address=lambda number: f"/_components?page={number}",
        codes=(ErrorCode.PLATFORM_TIMED_OUT, ErrorCode.COLUMN_MISSING),
    )
