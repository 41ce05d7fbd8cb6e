"""The few scripts: what they add, and that everything works without them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site, serving, stop_the_clock
from tests.unit.web.form_views import PICKERS
from tests.unit.web.picture_views import DRAWING, PICTURE_ID
from tests.unit.web.sample_views import COURSES, PICKING, TEACHER, WALLETS, column, session, wallet
from tests.unit.web.samples import SECRET

pytestmark = pytest.mark.chromium

COOKIE = {"name": "lti_session_session-1", "value": SECRET, "domain": "localhost", "path": "/l/session-1/"}


@pytest.fixture
def member(context: BrowserContext) -> BrowserContext:
    """A browser that holds the sample session's cookie."""
    context.add_cookies([COOKIE])
    return context


def test_a_formula_is_copied_with_the_keyboard(member: BrowserContext, page: Page, site: Site) -> None:
    member.grant_permissions(["clipboard-read", "clipboard-write"])
    site.tool.launching.view = TEACHER
    site.tool.course_view = COURSES["waiting"]
    stop_the_clock(page)  # "Copied" is said for two and a half seconds
    page.goto(site.url + "/l/session-1/course")
    button = page.get_by_role("button", name="Copy: Formula")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text("Copied")
    expect(page.locator("#live-message")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "=[[quiz1]]"
    assert page.evaluate("document.activeElement.textContent").strip() == "Copied"


def test_the_link_to_the_formula_page_copies_the_formula(
    member: BrowserContext, page: Page, site: Site
) -> None:
    member.grant_permissions(["clipboard-read", "clipboard-write"])
    member.route(
        "**/calculation.php**", lambda route: route.fulfill(body="<input id='box'>", content_type="text/html")
    )
    site.tool.launching.view = TEACHER
    site.tool.course_view = COURSES["waiting"]
    page.goto(site.url + "/l/session-1/course")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the formula page").click()
    opened.value.locator("#box").focus()
    opened.value.keyboard.press("Control+V")
    expect(opened.value.locator("#box")).to_have_value("=[[quiz1]]")


def test_the_formula_page_opens_beside_and_the_course_page_notices(
    member: BrowserContext, page: Page, site: Site
) -> None:
    site.tool.launching.view = TEACHER
    site.tool.course_view = COURSES["waiting"]
    site.tool.columns.poll = lambda *ids: (column("waiting"), column("waiting"))
    page.clock.install()
    page.goto(site.url + "/l/session-1/course")
    link = page.get_by_role("link", name="Open the formula page")
    assert link.get_attribute("target") == "_blank"
    with page.expect_response("**/poll"):
        page.clock.run_for(6_000)
    expect(page.get_by_text("Set up this badge")).to_be_visible()
    site.tool.course_view = COURSES["usual"]
    with page.expect_navigation():
        site.tool.columns.poll = lambda *ids: (column(), column())
        page.clock.run_for(12_000)
    expect(page.get_by_text("Grades arrive")).to_be_visible()


def test_a_badge_appears_in_the_open_wallet(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.wallet_view = WALLETS["empty"]
    page.clock.install()
    page.goto(site.url + "/l/session-1/wallet")
    expect(page.get_by_text("No badge yet.")).to_be_visible()
    site.tool.wallet_view = wallet(in_progress=())
    page.clock.run_for(11_000)
    expect(page.get_by_role("heading", name="Academic Writing")).to_be_visible()
    expect(page.locator("#live-message")).to_have_text("The page was updated.")


def test_nothing_is_replaced_under_somebodys_hands(member: BrowserContext, page: Page, site: Site) -> None:
    page.clock.install()
    page.goto(site.url + "/l/session-1/wallet")
    page.locator("summary").first.focus()
    site.tool.wallet_view = WALLETS["single-rule"]
    page.clock.run_for(25_000)
    expect(page.get_by_role("heading", name="Academic Writing")).to_be_visible()


def test_a_running_sync_shows_its_end(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.launching.view = TEACHER
    site.tool.course_view = COURSES["running"]
    page.clock.install()
    page.goto(site.url + "/l/session-1/course")
    expect(page.get_by_role("button", name="Read now")).to_have_count(0)
    site.tool.course_view = COURSES["usual"]
    page.clock.run_for(3_000)
    expect(page.get_by_role("button", name="Read now")).to_be_enabled()


def test_the_picture_follows_the_choices(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.get_by_text("Picture", exact=True).click()
    with page.expect_request(lambda request: "shape=shield" in request.url):
        page.get_by_label("Shape").select_option("shield")
    page.get_by_label("Background").fill("#f0f0f0")
    expect(page.locator("#contrast")).to_contain_text("too weak, at least 3 is needed")
    page.get_by_label("Text on the badge").fill("Data")
    expect(page.locator("#contrast")).to_contain_text("at least 4.5 is needed")


def test_a_template_fills_the_fields_at_once(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    site.tool.pictures.colours = ("#7a1f3d", "#f2b705")
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.evaluate("document.body.dataset.stays = 'yes'")
    page.get_by_text("Picture", exact=True).click()
    page.get_by_text("Begin with a template").click()
    with page.expect_request(
        lambda request: "icon=languages" in request.url and "shape=circle" in request.url
    ):
        page.get_by_role("button", name="Languages").click()
    expect(page.get_by_label("Shape")).to_have_value("circle")
    page.get_by_role("button", name="Background #f2b705").click()
    expect(page.get_by_label("Background", exact=True)).to_have_value("#f2b705")
    expect(page.get_by_label("Icon and text")).to_have_value("#000000")
    for picture in page.locator("[data-artwork-shown]").all():
        expect(picture).to_have_attribute("src", re.compile("f2b705"))
    expect(page.locator("[data-artwork-shown]")).to_have_count(7)
    assert page.evaluate("document.body.dataset.stays") == "yes"


def test_a_file_that_was_chosen_goes_with_any_button(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.get_by_text("Picture", exact=True).click()
    page.get_by_text("Use my own picture").click()
    page.get_by_label("Picture file").set_input_files(
        {"name": "badge.svg", "mimeType": "image/svg+xml", "buffer": DRAWING}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Description of the picture")).to_be_focused()
    expect(page.locator("input[name=picture_id]")).to_have_value(PICTURE_ID)
    assert [call[2] for call in site.tool.calls if call[0] == "upload"] == [DRAWING]
    page.get_by_role("button", name="Compose a picture instead").click()
    expect(page.get_by_label("Shape")).to_be_focused()


def test_the_number_is_asked_for_where_it_counts(member: BrowserContext, page: Page, site: Site) -> None:
    site.tool.launching.view = PICKING
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.locator("button[value=add_attested]").click()
    expect(page.locator(".rule-row")).to_have_count(2)
    expect(page.get_by_label("How many")).to_be_hidden()
    page.get_by_label("How the rules count together").select_option("at_least")
    expect(page.get_by_label("How many")).to_be_visible()


def test_rules_come_and_go_without_loading_the_form_again(
    member: BrowserContext, page: Page, site: Site
) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.evaluate("document.body.dataset.stays = 'yes'")
    page.get_by_label("Assessment").fill("Quiz 1")
    page.locator("button[value=add_attested]").click()
    expect(page.locator(".rule-row")).to_have_count(2)
    expect(page.get_by_label("Assessment")).to_have_value("Quiz 1")
    expect(page.locator("#criteria-1-label")).to_be_focused()
    page.locator("button[value=remove_row-0]").click()
    expect(page.locator(".rule-row")).to_have_count(1)
    assert page.evaluate("document.body.dataset.stays") == "yes"


def test_a_session_that_ended_is_said_when_a_rule_is_added(
    member: BrowserContext, page: Page, site: Site
) -> None:
    site.tool.launching.view = PICKING
    site.tool.picker_view = PICKERS["usual"]
    page.goto(site.url + "/l/session-1/micromodules/new")
    member.clear_cookies()
    page.locator("button[value=add_attested]").click()
    expect(page.locator("form.describe")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_form_works_without_script(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en")
    context.add_cookies([COOKIE])
    page = context.new_page()
    site.tool.launching.view = PICKING
    page.goto(site.url + "/l/session-1/micromodules/new")
    page.get_by_label("Name", exact=True).fill("Research Data")
    page.get_by_label("Assessment").fill("Quiz 1")
    page.locator("button[value=add_score]").click()
    expect(page.get_by_label("Assessment")).to_have_count(2)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Research Data")
    page.get_by_label("Assessment").nth(1).fill("Essay")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("region", name="In words")).to_contain_text("Essay: at least 60 %")
    page.get_by_role("button", name="Remove rule 1").click()
    expect(page.get_by_label("Assessment")).to_have_value("Essay")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Back to your course")).to_be_visible()
    assert ("cancel", "Research Data") in [
        (call[0], call[2]["name"]) for call in site.tool.calls if call[0] == "cancel"
    ]
    context.close()


class Platform:
    """A platform's page with the tool in a frame; it keeps values, or keeps silent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers = True
        self.tool_url = ""


@pytest.fixture
def platform() -> Iterator[Platform]:
    app = Flask("platform")
    served = Platform("")

    @app.get("/course")
    def course() -> str:
        script = """
            const kept = {};
            window.asked = [];
            addEventListener("message", ({data, source, origin}) => {
                window.asked.push(data.subject);
                const reply = {subject: data.subject + ".response", message_id: data.message_id};
                if (data.subject === "lti.capabilities")
                    reply.supported_messages = [{subject: "lti.put_data"}, {subject: "lti.get_data"}];
                if (data.subject === "lti.put_data") kept[data.key] = data.value;
                if (data.subject === "lti.get_data") reply.value = kept[data.key];
                source.postMessage(reply, origin);
            });"""
        return (
            "<!doctype html><title>Course</title>"
            f"<script>{script if served.answers else ''}</script>"
            f'<iframe name="tool" src="{served.tool_url}/lti/login"></iframe>'
        )

    @app.get("/auth")
    def auth() -> str:
        return (
            f"<!doctype html><title>Auth</title><form method=post action='{served.tool_url}/lti/launch'>"
            "<input name=id_token value=a.b.c><input name=state value=s></form>"
            "<script>document.forms[0].submit()</script>"
        )

    with serving(app) as port:
        served.url = f"http://127.0.0.1:{port}"
        yield served


class TestPlatformStorage:
    """A launch in a frame whose cookies are lost: the platform keeps the browser's secret."""

    @pytest.fixture(autouse=True)
    def _storage(self, site: Site, platform: Platform) -> None:
        platform.tool_url = site.url
        storage = SimpleNamespace(
            target_origin=platform.url, frame=None, key="lti_state_1", value="the secret"
        )
        site.tool.begin_login = lambda form: SimpleNamespace(  # type: ignore[attr-defined]
            auth_url=f"{platform.url}/auth",
            state="s",
            state_cookie_name="lti_state_1",
            state_cookie_value="the secret",
            storage=storage,
        )
        site.tool.launch_validator.storage_for = lambda form, cookies: storage
        site.tool.launching.view = session(is_cookie_bound=False, frame_origins=(platform.url,))

    def validated(self, site: Site) -> list[str | None]:
        return [call[3] for call in site.tool.calls if call[0] == "validate"]

    def test_the_secret_goes_there_and_back(self, page: Page, site: Site, platform: Platform) -> None:
        stop_the_clock(page)  # the scripts wait two seconds for the platform
        page.goto(platform.url + "/course")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Your badges")).to_be_visible()
        assert self.validated(site) == ["the secret"]
        asked = page.evaluate("window.asked")
        assert asked == ["lti.capabilities", "lti.put_data", "lti.capabilities", "lti.get_data"]

    def test_a_silent_platform_costs_two_seconds(self, page: Page, site: Site, platform: Platform) -> None:
        platform.answers = False
        page.goto(platform.url + "/course")
        expect(page.frame_locator("iframe").get_by_role("heading", name="Your badges")).to_be_visible()
        assert self.validated(site) == [""]

    def test_another_origin_is_told_nothing(self, page: Page, site: Site, platform: Platform) -> None:
        storage = site.tool.launch_validator.storage_for({}, {})
        storage.target_origin = "https://sso.platform.example"
        page.goto(platform.url + "/course")
        expect(page.frame_locator("iframe").get_by_role("heading", name="Your badges")).to_be_visible()
        assert "lti.put_data" not in page.evaluate("window.asked")
        assert self.validated(site) == [""]
