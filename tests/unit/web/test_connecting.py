"""``/lti/connect`` and ``/lti/canvas.json``: what an administrator copies, and what a Canvas reads."""

from __future__ import annotations

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.lti.registration import SCOPES
from tests.unit.web.sample_views import BASE_URL


def copied(client: FlaskClient, **headers: str) -> dict[str, str]:
    """The values of the page by the label that stands beside them."""
    soup = BeautifulSoup(client.get("/lti/connect", headers=headers).text, "html.parser")
    found: dict[str, str] = {}
    for label in soup.find_all("label"):
        field = soup.find(id=str(label["for"]))
        assert field is not None
        assert field.has_attr("readonly")
        name = label.get_text(strip=True)
        assert name not in found, f"two fields are called {name}"
        found[name] = str(field.get("value") or field.get_text()).strip()
    return found


def test_canvas_reads_its_configuration(client: FlaskClient) -> None:
    answer = client.get("/lti/canvas.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json is not None
    assert answer.json["target_link_uri"] == f"{BASE_URL}/lti/launch"
    assert answer.json["title"] == "Badges"
    icon = answer.json["extensions"][0]["settings"]["icon_url"]
    assert icon.startswith(BASE_URL)
    shown = client.get(icon.removeprefix(BASE_URL), follow_redirects=True)
    assert shown.mimetype is not None
    assert shown.mimetype.startswith("image/")


def test_the_configuration_can_be_kept_and_asked_for_again(client: FlaskClient) -> None:
    answer = client.get("/lti/canvas.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Accept-Language" in answer.headers["Vary"]
    again = client.get("/lti/canvas.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_both_forms_are_shown_under_the_names_that_they_have(client: FlaskClient) -> None:
    shown = copied(client)
    assert shown["JSON URL"] == f"{BASE_URL}/lti/canvas.json"
    assert shown["Tool URL"] == shown["Target Link URI"] == f"{BASE_URL}/lti/launch"
    assert shown["Initiate login URL"] == shown["OpenID Connect Initiation Url"] == f"{BASE_URL}/lti/login"
    assert shown["Public keyset"] == shown["Public JWK URL"] == f"{BASE_URL}/lti/jwks.json"
    assert shown["Redirection URI(s)"] == shown["Redirect URIs"] == f"{BASE_URL}/lti/launch"
    assert "masquerade=$Canvas.masqueradingUser.id" in shown["Custom Fields"].splitlines()
    assert "masquerade" not in shown["Custom parameters"]


def test_what_is_typed_by_hand_is_what_canvas_would_read(client: FlaskClient) -> None:
    read = client.get("/lti/canvas.json").json
    assert read is not None
    shown = copied(client)
    assert shown["Title"] == read["title"]
    assert shown["Description"] == read["description"]
    typed = dict(line.split("=", 1) for line in shown["Custom Fields"].splitlines())
    assert typed == read["custom_fields"]


def test_every_permission_is_explained(client: FlaskClient) -> None:
    soup = BeautifulSoup(client.get("/lti/connect").text, "html.parser")
    scopes = soup.find(class_="scopes")
    assert scopes is not None
    assert [each.get_text(strip=True) for each in scopes.find_all("dt")] == list(SCOPES)
    assert all(each.get_text(strip=True) for each in scopes.find_all("dd"))


def test_a_copy_button_waits_for_the_script_and_the_text_does_not(client: FlaskClient) -> None:
    soup = BeautifulSoup(client.get("/lti/connect").text, "html.parser")
    buttons = soup.find_all("button", attrs={"data-copy": True})
    assert len(buttons) == len(copied(client))
    for button in buttons:
        assert button.has_attr("hidden")
        assert soup.find(id=button["data-copy"]) is not None


def test_the_page_says_that_somebody_has_to_approve(client: FlaskClient) -> None:
    text = BeautifulSoup(client.get("/lti/connect").text, "html.parser").get_text(" ")
    assert "have approved the connection" in text
    assert "--product canvas" in text
    assert "--product moodle" in text
