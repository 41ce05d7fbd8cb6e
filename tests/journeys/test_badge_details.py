"""What a badge says beside its rules, from the instructor's form to the employer's page (S3 S5 T10)."""

from __future__ import annotations

import json

from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.unit.services.test_achievement_details import ESCO

SAID = {
    "credits": "2,5",
    "credit_unit": "ects",
    "human_code": "OD-1",
    "field_of_study": "Information science",
    "validity_months": "24",
    "shows_results": "on",
    "alignment-0-name": "manage research data",
    "alignment-0-url": ESCO,
    "alignment-0-framework": "ESCO",
    "alignment-0-type": "ceasn:Competency",
}


def test_a_learner_is_told_what_the_badge_shows_and_the_world_sees_just_that(campus: Campus) -> None:
    badge = campus.place_badge(**SAID)
    campus.set_up(badge)
    campus.publish(badge)

    waiting = campus.open_wallet("ada", badge)
    for words in ("manage research data", "2.5 ECTS · valid for 2 years", "Your results: Quiz 1"):
        assert words in waiting.words, "before there is anything to share"

    campus.take_quiz("ada", 85)
    campus.read_now()
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    assert "Whoever sees the badge also sees: Your results: Quiz 1" in wallet.words
    credential_id = credential_of(wallet)
    ada.submit(wallet, form=f"{credential_id}/sharing")

    stranger = campus.app.test_client()
    page = stranger.get(f"/credentials/{credential_id}", base_url=TOOL_URL)
    words = " ".join(page.get_data(as_text=True).split())
    for expected in (f'<a href="{ESCO}"', "2.5 ECTS", "Valid until", "OD-1", "Information science", "85 %"):
        assert expected in words
    signed = json.loads(stranger.get(f"/credentials/{credential_id}.json", base_url=TOOL_URL).data)
    achievement = signed["credentialSubject"]["achievement"]
    assert achievement["alignment"] == [
        {
            "type": ["Alignment"],
            "targetName": "manage research data",
            "targetUrl": ESCO,
            "targetFramework": "ESCO",
            "targetType": "ceasn:Competency",
        }
    ]
    assert (achievement["creditsAvailable"], achievement["humanCode"]) == (2.5, "OD-1")
    assert [one["value"] for one in signed["credentialSubject"]["result"]] == ["85"]
    assert "validUntil" in signed
