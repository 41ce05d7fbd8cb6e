"""Skills frameworks as the services would give them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.frameworks import Found, Imported
from lti_tool.store.frameworks import FrameworkView, Renewal, SkillView
from tests.unit.web.sample_views import LONG_WORD, NOW

ESCO = FrameworkView(
    "framework-1",
    "esco",
    "http://data.europa.eu/esco/concept-scheme/skills#en",
    "ESCO",
    "v1.2.0",
    "en",
    13_939,
    "staff:member-1",
    NOW,
)
CASE = FrameworkView(
    "framework-2",
    "case",
    "https://case.example.edu/ims/case/v1p0/CFDocuments/" + "d" * 120,
    f"Digital Literacy {LONG_WORD}",
    None,
    None,
    1,
    "cli",
    NOW,
)
IMPORTED = Imported(ESCO, Renewal(12, 3, 1, 13_924), repeated=1, left_out=2)

SKILL = SkillView(
    "a" * 32,
    "use databases",
    "http://data.europa.eu/esco/skill/1",
    None,
    "Use software tools for managing and organising data in a structured environment.",
    "ceasn:Competency",
    "ESCO",
    "v1.2.0",
    "en",
)
FOUND = {
    "usual": Found(
        "data",
        (
            SKILL,
            replace(
                SKILL,
                id="b" * 32,
                name=f"<b>Données</b> {LONG_WORD}",
                code="DL.1",
                framework="Référentiel",
                version=None,
                language="fr",
                description=None,
            ),
        ),
        has_more=True,
    ),
    "nothing": Found("zzz"),
    "short": Found("a", is_too_short=True),
    "no-frameworks": Found("data", has_frameworks=False),
}


def sample_frameworks(called: Any) -> SimpleNamespace:
    """The service, with two frameworks and one skill; changes are recorded."""

    def skill(_session: object, item_id: str) -> SkillView:
        if item_id != SKILL.id:
            raise NotFound(ErrorCode.NOT_FOUND)
        return SKILL

    return SimpleNamespace(
        list=lambda _organisation_id: (CASE, ESCO),
        framework=lambda _organisation_id, _framework_id: ESCO,
        import_file=called("import_file", IMPORTED),
        remove=called("remove_framework", ESCO),
        search_in_course=lambda _session, text, language="": replace(FOUND["usual"], text=text),
        search=lambda _organisation_id, text, language="": replace(FOUND["usual"], text=text),
        skill=skill,
        skill_of=skill,
    )
