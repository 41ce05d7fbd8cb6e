"""The chain of versions on pages: what replaces what, where it leads; no link that a stranger slips in."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.credentials.verification import Verdict
from tests.unit.web import version_views
from tests.unit.web.samples import Sample

WALLET = "/l/session-1/wallet"


def wallet(member: FlaskClient, tool: Sample, state: str) -> BeautifulSoup:
    tool.wallet_view = version_views.VERSION_WALLETS[state]
    return BeautifulSoup(member.get(WALLET).text, "html5lib")


def test_earlier_versions_are_folded_below_the_one_that_replaces_them(
    member: FlaskClient, tool: Sample
) -> None:
    page = wallet(member, tool, "version-regained")
    shown = page.select("ul.badges > li > article")
    assert [one["id"] for one in shown] == ["badge-credential-1"]
    folded = page.select("ul.badges > li > details.earlier-versions article")
    assert [one["id"] for one in folded] == ["badge-credential-3", "badge-credential-2"]
    assert "There is version" not in page.text  # they have the newest already


def test_a_badge_that_was_just_shared_is_not_folded_away(member: FlaskClient, tool: Sample) -> None:
    tool.wallet_view = version_views.VERSION_WALLETS["version-regained"]
    page = BeautifulSoup(member.get(f"{WALLET}?open=credential-3").text, "html5lib")
    (folder,) = page.select("details.earlier-versions")
    assert folder.has_attr("open")
    assert not wallet(member, tool, "version-regained").select("details.earlier-versions[open]")


def test_whoever_s_version_ended_reads_what_is_new_and_where_to_go(member: FlaskClient, tool: Sample) -> None:
    page = wallet(member, tool, "version-ended")
    words = " ".join(page.text.split())
    assert "There is version 3 of this badge" in words
    assert "Yours of version 1 has ended with it." in words
    assert "New in version 2: Sharing data asks for a licence now." in words
    (link,) = page.select(".newer-version a")
    assert link["href"] == "#card-placement-1"
    assert page.select_one("#card-placement-1") is not None
    (away,) = wallet(member, tool, "version-ended-elsewhere").select(".newer-version a")
    assert away["href"] == "/achievements/version-data"


@pytest.mark.parametrize(
    "state, sentence",
    [
        ("version-stays", "Yours of version 1 stays valid."),
        ("version-ends", "Yours of version 1 is valid until"),
    ],
)
def test_whose_badge_holds_is_told_so(state: str, sentence: str, member: FlaskClient, tool: Sample) -> None:
    assert sentence in " ".join(wallet(member, tool, state).text.split())


def test_everybody_sees_the_whole_chain_with_this_one_marked(client: FlaskClient, tool: Sample) -> None:
    version_views.achieved(version_views.OF_SECOND)(tool)
    for path in ("/achievements/version-writing", "/credentials/credential-2"):
        page = BeautifulSoup(client.get(path, headers={"Accept": "text/html"}).text, "html5lib")
        steps = page.select("section[aria-labelledby=versions-title] li")
        assert [step.text.split("·")[0].strip() for step in steps] == [
            "Version 3",
            "Version 2 (this one)",
            "Version 1",
        ]
        assert [step.get("aria-current") for step in steps] == [None, "true", None]
        assert "Sharing data asks" not in page.text  # is said to holders


def test_an_only_version_is_no_chain(client: FlaskClient, tool: Sample) -> None:
    page = client.get("/achievements/version-writing", headers={"Accept": "text/html"}).text
    assert "versions-title" not in page


def test_what_a_stranger_wrote_is_linked_only_where_the_badge_is_genuine(
    client: FlaskClient, tool: Sample
) -> None:
    links = {}
    for verdict in (Verdict.VALID, Verdict.INVALID):
        tool.report = version_views.version_report(verdict)
        page = BeautifulSoup(client.post("/verify", data={"text": "{}"}).text, "html5lib")
        assert "Version" in page.text
        links[verdict] = [str(one["href"]) for one in page.select("dl.facts a")]
    assert links == {
        Verdict.VALID: ["https://issuer.example/achievements/1", "https://issuer.example/achievements/2"],
        Verdict.INVALID: [],
    }
