"""Platform storage as Canvas has it: the page around the tool is the institution's, and the secret goes to a
named frame on the host that signs people in; whoever else has a frame of that name is told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, serving, stop_the_clock
from tests.unit.web.sample_views import session

pytestmark = pytest.mark.chromium

FRAME = "post_message_forwarding"
INSTITUTION = """
    window.asked = [];
    addEventListener("message", ({data, source, origin}) => {
        window.asked.push(data.subject);
        const answer = (changes = {}) => source.postMessage({
            subject: "lti.capabilities.response",
            message_id: data.message_id,
            supported_messages: [
                {subject: "lti.capabilities"},
                {subject: "lti.put_data", frame: "post_message_forwarding"},
                {subject: "lti.get_data", frame: "post_message_forwarding"},
            ],
            ...changes,
        }, origin);
        if (data.subject === "lti.capabilities") { ANSWERS }
        if (SPOOFS) setInterval(() => source.postMessage({
            subject: "lti.get_data.response", message_id: data.message_id, value: "chosen by the page",
        }, "*"), 20);
    });"""
FORWARDING = """
    const asked = JSON.parse(localStorage.getItem("asked") ?? "[]");
    let lost = 0;
    addEventListener("message", ({data, source, origin}) => {
        if (lost++ < LOSES) return;
        asked.push(data.subject);
        localStorage.setItem("asked", JSON.stringify(asked));
        if (data.subject === "lti.put_data") localStorage.setItem(data.key, data.value);
        const value = localStorage.getItem(data.key);
        source.postMessage(
            {subject: data.subject + ".response", message_id: data.message_id, key: data.key, value}, origin);
    });"""


RELAYING = """addEventListener("message", ({data}) => parent.postMessage({relayed: data}, "*"));"""
"""A storage frame that asks the page around it, as Canvas's does."""
RELAYED = """
    addEventListener("message", ({data: {relayed}}) => {
        if (relayed) document.getElementById("tool").contentWindow.postMessage({
            subject: relayed.subject + ".response", message_id: relayed.message_id, key: relayed.key,
            value: "chosen by the page"}, "*");
    });"""


@dataclass
class Cloud:
    """Three sites: the institution's pages, the cloud's sign-in, and somebody else."""

    institution: str = ""
    sign_in: str = ""
    stranger: str = ""
    tool: str = ""
    forwarding_at: str = ""
    """Where the frame of the agreed name comes from."""
    spoofs: bool = False
    answers: str = "answer();"
    """What the page around does when it is asked what it can."""
    relays: bool = False
    """Whether the storage frame asks the page around it, which answers for it."""
    intruder: str = ""
    """What another site's frame beside the tool does all the time."""
    loses: int = 0
    """How many messages come before the frame listens."""


@pytest.fixture
def cloud(site: Site) -> Iterator[Cloud]:
    served = Cloud(tool=site.url)
    app = Flask("cloud")

    @app.get("/course")
    def course() -> str:
        script = INSTITUTION.replace("SPOOFS", str(served.spoofs).lower()).replace("ANSWERS", served.answers)
        script += RELAYED if served.relays else ""
        intruder = f'<iframe id="intruder" src="{served.stranger}/intruder"></iframe>'
        return (
            f"<!doctype html><title>Course</title><script>{script}</script>"
            f'<iframe name="{FRAME}" src="{served.forwarding_at}/forwarding"></iframe>'
            f"{intruder if served.intruder else ''}"
            f'<iframe id="tool" data-src="{served.tool}/lti/login"></iframe>'
            "<script>addEventListener('load', () => {const tool = document.getElementById('tool');"
            "tool.src = tool.dataset.src}, {once: true})</script>"
        )

    @app.get("/forwarding")
    def forwarding() -> str:
        script = RELAYING if served.relays else FORWARDING.replace("LOSES", str(served.loses))
        return f"<!doctype html><title>Forwarding</title><script>{script}</script>"

    @app.get("/intruder")
    def intruder() -> str:
        return f"<!doctype html><title>Intruder</title><script>{served.intruder}</script>"

    @app.get("/auth")
    def auth() -> str:
        return (
            f"<!doctype html><title>Auth</title><form method=post action='{served.tool}/lti/launch'>"
            "<input name=id_token value=a.b.c><input name=state value=s></form>"
            "<script>document.forms[0].submit()</script>"
        )

    with serving(app) as first, serving(app) as second, serving(app) as third:
        served.institution, served.sign_in, served.stranger = (
            f"http://127.0.0.1:{port}" for port in (first, second, third)
        )
        served.forwarding_at = served.sign_in
        storage = SimpleNamespace(
            target_origin=served.sign_in, frame=FRAME, key="lti_state_1", value="the secret"
        )
        site.tool.begin_login = lambda form: SimpleNamespace(  # type: ignore[attr-defined]
            auth_url=f"{served.sign_in}/auth",
            state="s",
            state_cookie_name="lti_state_1",
            state_cookie_value="the secret",
            storage=storage,
        )
        site.tool.launch_validator.storage_for = lambda form, cookies: storage
        site.tool.launching.view = session(is_cookie_bound=False, frame_origins=(served.institution,))
        yield served


def validated(site: Site) -> list[str | None]:
    return [call[3] for call in site.tool.calls if call[0] == "validate"]


def wallet_opens(page: Page, cloud: Cloud) -> None:
    page.goto(cloud.institution + "/course")
    expect(page.frame_locator("#tool").get_by_role("heading", name="Your badges")).to_be_visible()


def kept_at(page: Page, origin: str) -> dict[str, Any]:
    """What the frame's own origin was asked, and holds."""
    page.goto(origin + "/forwarding")
    held: dict[str, Any] = page.evaluate("({...localStorage})")
    return held


def test_the_secret_goes_to_the_frame_of_the_host_that_signs_in(page: Page, site: Site, cloud: Cloud) -> None:
    stop_the_clock(page)
    wallet_opens(page, cloud)
    assert validated(site) == ["the secret"]
    assert page.evaluate("window.asked") == ["lti.capabilities", "lti.capabilities"]
    held = kept_at(page, cloud.sign_in)
    assert held["asked"] == '["lti.put_data","lti.get_data"]'
    assert held["lti_state_1"] == "the secret"


def test_a_frame_that_is_still_loading_is_asked_again(page: Page, site: Site, cloud: Cloud) -> None:
    cloud.loses = 2
    wallet_opens(page, cloud)
    assert validated(site) == ["the secret"]


def test_a_frame_of_that_name_on_another_host_is_told_nothing(page: Page, site: Site, cloud: Cloud) -> None:
    cloud.forwarding_at = cloud.stranger
    wallet_opens(page, cloud)
    assert validated(site) == [""]
    assert kept_at(page, cloud.stranger) == {}


def test_the_page_around_cannot_say_what_the_storage_held(page: Page, site: Site, cloud: Cloud) -> None:
    """Else whoever frames the tool could give a victim the login that another browser began."""
    cloud.spoofs = True
    cloud.forwarding_at = cloud.stranger
    wallet_opens(page, cloud)
    assert validated(site) == [""]


def test_a_page_that_learns_a_message_s_number_cannot_answer_it(page: Page, site: Site, cloud: Cloud) -> None:
    """Any page can have the platform's storage frame beside the tool: only its origin is believed."""
    cloud.relays = True
    wallet_opens(page, cloud)
    assert validated(site) == [""]


# -- answers about capabilities that are not what they should be


def goes_on_without(page: Page, cloud: Cloud) -> None:
    """The wallet opens though nobody said, in time, that there is a storage."""
    stop_the_clock(page)
    page.goto(cloud.institution + "/course")
    heading = page.frame_locator("#tool").get_by_role("heading", name="Your badges")
    for _ in range(600):
        if heading.is_visible():
            return
        # Two pages wait for two seconds each; each begins to when the machine has come to it.
        page.clock.run_for(500)
        page.wait_for_timeout(100)
    expect(heading).to_be_visible()


NOT_IN_TIME = {
    "no answer": "",
    "too late": "setTimeout(answer, 60000);",
    "another message's": 'answer({message_id: "another"});',
    "of no message": "answer({message_id: undefined});",
    "another subject": 'answer({subject: "lti.get_data.response"});',
    "an error": 'answer({error: {code: "unsupported_subject", message: "no"}});',
    "no storage": "answer({supported_messages: [{subject: 'lti.capabilities'}]});",
    "nothing": "answer({supported_messages: undefined});",
    "no list": "answer({supported_messages: 'lti.put_data'});",
    "no object": "source.postMessage('lti.capabilities.response', origin); source.postMessage(null, origin);",
}


@pytest.mark.parametrize("answers", NOT_IN_TIME.values(), ids=NOT_IN_TIME.keys())
def test_without_a_good_answer_in_time_the_login_goes_on_and_tells_no_secret(
    page: Page, site: Site, cloud: Cloud, answers: str
) -> None:
    cloud.answers = answers
    goes_on_without(page, cloud)
    assert validated(site) == [""]
    page.clock.run_for(120_000)
    assert validated(site) == [""], "what comes too late changes nothing"
    assert kept_at(page, cloud.sign_in) == {}


def test_an_answer_that_comes_again_and_again_counts_once(page: Page, site: Site, cloud: Cloud) -> None:
    cloud.answers = "answer(); answer(); answer(); setInterval(answer, 10);"
    wallet_opens(page, cloud)
    assert validated(site) == ["the secret"]
    assert kept_at(page, cloud.sign_in)["lti_state_1"] == "the secret"


def test_the_secret_is_not_told_to_a_frame_that_the_answer_names_instead(
    page: Page, site: Site, cloud: Cloud
) -> None:
    """Whoever answers may choose the frame, not the origin that is spoken to."""
    cloud.answers = (
        'answer({supported_messages: ["lti.put_data", "lti.get_data"].map((subject) => ({subject, '
        'frame: "intruder"}))});'
    )
    cloud.intruder = """
        window.name = "intruder";
        addEventListener("message", ({data, source}) => {
            localStorage.setItem("heard", JSON.stringify(data));
            source.postMessage({subject: data.subject + ".response", message_id: data.message_id,
                value: "chosen by the intruder"}, "*");
        });"""
    wallet_opens(page, cloud)
    assert validated(site) == [""]
    page.goto(cloud.stranger + "/forwarding")
    assert page.evaluate("localStorage.getItem('heard')") is None


def test_a_frame_beside_the_tool_cannot_answer_for_the_platform(page: Page, site: Site, cloud: Cloud) -> None:
    """It is not asked, so it does not know the message's number."""
    cloud.intruder = """
        setInterval(() => {
            for (const subject of ["lti.capabilities", "lti.put_data", "lti.get_data"])
                for (const message_id of ["1", "", undefined, null])
                    for (let number = 0; number < parent.frames.length; number++)
                        parent.frames[number].postMessage({subject: subject + ".response", message_id,
                            value: "chosen by the intruder", supported_messages: []}, "*");
        }, 5);"""
    wallet_opens(page, cloud)
    assert validated(site) == ["the secret"]
