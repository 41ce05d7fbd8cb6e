"""A badge that is switched on, in every state: its form, who would get it, how far awarding is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lti_tool.domain.criteria import AllOf, Attested, ScoreAtLeast
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Evidence, Fact, Score
from lti_tool.domain.retroactive import Withheld
from lti_tool.services.completers import Completer, Totals
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.retroactive import BadgeForm, DryRun
from lti_tool.store.retroactive import CompleterRow
from lti_tool.store.runs import RunView
from tests.unit.web.next_version_views import COMPARISON, LONG_WORD, MARK, SAVED
from tests.unit.web.sample_views import NOW

CRITERION = AllOf((ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60)), Attested("attested:talk", "Talk")))
FORM = MicromoduleForm(
    name="Research Data",
    shape="hexagon",
    icon="award",
    background="#0b6a5d",
    foreground="#ffffff",
    rows=(),
)
PLAIN_FORM = BadgeForm(
    "micromodule-1", "Research Data", FORM, CRITERION, (("issuer-1", "Library"),), False, 1_234
)
FORMS = {
    "plain": PLAIN_FORM,
    "begun": replace(
        PLAIN_FORM,
        form=replace(FORM, name=f"Data {LONG_WORD}", description="Plans research data."),
        is_unsaved=True,
        draft="turn.before",
        saved=SAVED,
        completed=1,
        issuer_choices=(("issuer-1", "Library"), ("issuer-2", "مكتبة الجامعة")),
    ),
}
THEIRS = replace(
    PLAIN_FORM,
    form=replace(FORM, name=f"Data {LONG_WORD}", skills="Licences", icon="star"),
    is_unsaved=True,
    draft="turn.theirs",
    saved=SAVED,
)
"""What a colleague saved."""
FINDING = evaluate(
    CRITERION,
    Evidence(
        {"quiz-1": Score(Decimal(85), Decimal(100), NOW - timedelta(days=90), NOW)},
        {"attested:talk": Fact(True, NOW - timedelta(days=80), NOW)},
    ),
)
ROW = CompleterRow(
    learner_id="learner-1",
    name="Ada Lovelace",
    user_id="42",
    context_id="context-1",
    course="Research Data, spring",
    number=1,
    version_id="version-data",
    met_at=NOW - timedelta(days=80),
    recorded_at=NOW - timedelta(days=79),
    decision_id="decision-1",
    is_seen=False,
    has_left=False,
    is_doubted=False,
    withheld=None,
)
PEOPLE = (
    Completer(ROW, FINDING),
    Completer(
        replace(ROW, learner_id="learner-2", name=None, course=None, has_left=True, is_seen=True), None
    ),
    Completer(replace(ROW, learner_id="learner-3", name="هدى", is_doubted=True), FINDING),
    *(
        Completer(
            replace(ROW, learner_id=reason.value, name=f"{reason} {LONG_WORD}", withheld=reason.value),
            FINDING,
        )
        for reason in Withheld
    ),
)
PLAIN = DryRun(
    "micromodule-1",
    "Research Data",
    COMPARISON.after,
    CRITERION,
    Totals(1_200, 40, 17, dict.fromkeys(Withheld, 6)),
    PEOPLE,
    2,
    25,
    MARK,
)
DRY_RUNS = {
    "many": PLAIN,
    "nobody": replace(PLAIN, totals=Totals(), people=(), number=1, pages=1),
    "one": replace(PLAIN, totals=Totals(1, 1, 1), people=PEOPLE[1:2], number=1, pages=1),
}
RUN = RunView(
    id="run-1",
    organisation_id="organisation-1",
    kind="retroactive",
    context_id=None,
    status="running",
    step="awards",
    done=500,
    total=1_234,
    counts={},
    error_code=None,
    created_at=NOW,
    started_at=NOW,
    finished_at=None,
)
RUNS = {
    "waiting": replace(RUN, status="waiting", done=0, total=None, started_at=None),
    "running": RUN,
    "paused": replace(RUN, paused_at=NOW),
    "done": replace(
        RUN,
        status="done",
        done=1_234,
        counts={"awarded": 1_200, "withheld": {reason.value: 6 for reason in Withheld}},
        finished_at=NOW,
    ),
    "unsigned": replace(
        RUN,
        status="done",
        done=1_234,
        counts={"awarded": 1_234, "withheld": {}},
        error_code="credential_invalid",
        finished_at=NOW,
    ),
}


class SampleRetroactive:
    """Awards nobody; a test may put in other views."""

    def __init__(self, called: Any) -> None:
        self.form = PLAIN_FORM
        self.dry = PLAIN
        self.latest: RunView | None = None
        self.open: dict[str, RunView] = {}
        self.save: Any = lambda *about, **more: called("save_badge")(*about, **more) or "turn.saved"
        self.discard: Any = called("discard_badge")
        self.switch_on = called("switch_on")
        self.pause = called("pause_awarding")
        self.resume = called("resume_awarding")

    def begin(self, author: Any, micromodule_id: str, *, discards: bool = False) -> BadgeForm:
        return self.form

    def dry_run(self, *_: Any, **__: Any) -> DryRun:
        return self.dry

    def people(self, author: Any, micromodule_id: str) -> Any:
        return iter(self.dry.people)

    def run_of(self, author: Any, micromodule_id: str) -> RunView | None:
        return self.latest

    def name_of(self, author: Any, micromodule_id: str) -> str:
        return self.form.name

    def newest(self, organisation_id: str, micromodule_id: str) -> RunView | None:
        return self.latest

    def under_way(self, organisation_id: str, context_id: str) -> dict[str, RunView]:
        return self.open
