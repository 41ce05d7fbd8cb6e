"""What badges say beside their rules, in every kind and as long as people write it."""

from __future__ import annotations

from decimal import Decimal

from lti_tool.services.public import ShownResult, ShownWork
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, ResultDescriptionView

LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitänsausbildungsgrundlagen"
ISSUER_CHOICES = (("issuer-1", "Example University"), ("issuer-2", LONG_NAME))
FORM_DETAILS = {
    "credits": "2.5",
    "credit_unit": "ects",
    "validity_months": "24",
    "achievement_type": "Course",
    "human_code": "MM-101",
    "field_of_study": "Information science",
    "shows_results": "on",
    "shows_evidence": "on",
    "may_suspend": "on",
    "issuer_id": "issuer-2",
    "alignment-0-name": "manage research data",
    "alignment-0-url": "http://data.europa.eu/esco/skill/48a0a4e4-0000-0000-0000-000000000000",
    "alignment-0-framework": "ESCO 1.2",
    "alignment-0-type": "ceasn:Competency",
    "alignment-1-name": LONG_NAME,
    "alignment-1-url": f"https://skills.example/{LONG_NAME}",
    "alignment-2-name": "",
}
"""What the section "What the badge says" holds when everything is typed, and one skill is being added."""
DETAILS = AchievementDetails(
    achievement_type="Course",
    alignments=(
        AlignmentView("Writing", "https://skills.example/writing", "Skills of Example", "W-1", "CFItem"),
        AlignmentView("manage research data", FORM_DETAILS["alignment-0-url"], "ESCO 1.2"),
        AlignmentView(LONG_NAME, "https://skills.example/1"),
        AlignmentView("Of before addresses were checked", "javascript:alert(1)"),
    ),
    credits=Decimal("2.50"),
    credit_unit="ects",
    human_code="MM-101",
    field_of_study="Information science",
    validity_months=24,
    shows_results=True,
    shows_evidence=True,
    result_descriptions=(
        ResultDescriptionView("quiz-1", "Quiz 1", "Percent", "60", "0", "100"),
        ResultDescriptionView("essay", "Essay", "RawScore", "12", "0"),
    ),
    status_purpose="suspension",
)
RESULTS = (ShownResult("Quiz 1", "92.5", is_percent=True), ShownResult("Essay", "14", is_percent=False))
WORK = (ShownWork("Data management plan", "https://work.example/plan"),)
