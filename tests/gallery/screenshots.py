"""``make screenshots``: walk the demo as its people do and take a picture of every page on the way.

All pictures (wide and narrow, light and dark) go to ``build/screenshots``; the few that the documentation
shows go, made small, to ``docs/pictures``. Needs a system Chromium.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import needs
from tests.browser.conftest import Site, serving
from tests.gallery.app import gallery_app
from tests.gallery.pages import PAGES
from tests.unit.web.samples import Sample

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = ROOT / "build" / "screenshots"
PICTURES = ROOT / "docs" / "pictures"
ORGANISATION = "Open Learning"
ACTIVITY = "Open Data Basics"
WIDTHS = {"wide": 1020, "narrow": 360}
HEIGHT = 720
SHARPNESS = 1.4
"""Pixels of the picture for each of the page."""


@dataclass(frozen=True)
class Shown:
    """How the documentation shows a page."""

    width: str = "wide"
    scheme: str = "light"
    tallest: int = 900
    """Pixels of the page; what is below is cut off."""


DOCUMENTED = {
    "course-with-wallet": Shown(tallest=720),
    "wallet-in-progress": Shown(tallest=620),
    "wallet-narrow-dark": Shown("narrow", "dark", 760),
    "picker": Shown(tallest=560),
    "form-in-words": Shown(tallest=1150),
    "setup-formula": Shown(tallest=1000),
    "course-progress": Shown(tallest=1000),
    "public-badge": Shown(tallest=620),
    "verified": Shown(tallest=760),
    "connect": Shown(tallest=760),
    "staff-home": Shown(tallest=640),
    "staff-organisation": Shown(tallest=640),
    "staff-holder": Shown(tallest=640),
    "gate": Shown(tallest=450),
    "matrix": Shown(tallest=1130),
    "simulation": Shown(tallest=900),
    "attest": Shown(tallest=900),
    "hand-in": Shown(tallest=980),
    "submissions": Shown(tallest=700),
}
TAKEN_IN_MOODLE = ("moodle-paste", "moodle-offer", "moodle-done", "moodle-activate")
"""Taken by hand in a real Moodle 4.4, whose pages the demo does not have: 1200 pixels wide."""
"""Name of a picture in ``docs/pictures`` → what it shows."""


SAMPLES = {
    "gate": "gate/usual",
    "matrix": "matrix/usual",
    "simulation": "simulation/usual",
    "attest": "attest/usual",
    "hand-in": "hand-in/empty",
    "submissions": "submissions/usual",
}
"""Name of a picture → the gallery's page that it shows: what the demo's one walk does not come to."""


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """``make run`` on data of its own: (address of the demo course, address of the tool, environment)."""
    with door(8000) as one, door(9000) as other:
        ports = {"PORT": str(one.getsockname()[1]), "LMS_PORT": str(other.getsockname()[1])}
    environment = {
        **os.environ,
        **ports,
        "LTI_TOOL_ENV": "development",
        "LTI_TOOL_DATA_DIR": str(folder),
        "LTI_TOOL_BASE_URL": f"http://localhost:{ports['PORT']}",
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.simulator.run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert running.stdout is not None
        course = ""
        for line in running.stdout:
            if "Course " in line:
                course = line.split()[1]
            if "Ctrl-C" in line:
                break
        if not course:
            raise SystemExit("the demo did not start")
        yield course, environment["LTI_TOOL_BASE_URL"], environment
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=60)


def door(port: int) -> socket.socket:
    """The port that ``make run`` has by itself, so that pictures show it; any other where it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


class Photographer:
    """Goes from page to page and takes pictures of each."""

    def __init__(self, browser: Browser, course: str, tool: str) -> None:
        self.browser = browser
        self.course = course
        self.lms = course.partition("/course/")[0]
        self.tool = tool

    def visitor(self, name: str = "") -> Page:
        """A browser of its own, logged in to the LMS as ``name``."""
        context: BrowserContext = self.browser.new_context(
            viewport={"width": WIDTHS["wide"], "height": HEIGHT},
            device_scale_factor=SHARPNESS,
            locale="en",
            reduced_motion="reduce",
        )
        page = context.new_page()
        if name:
            page.goto(f"{self.lms}/login/index.php")
            page.get_by_role("button", name=name).click()
        return page

    def take(self, page: Page, name: str) -> None:
        """The page in every width and scheme; what the documentation shows of it, made small."""
        for width, pixels in WIDTHS.items():
            page.set_viewport_size({"width": pixels, "height": HEIGHT})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                page.evaluate(
                    """async () => {
                        document.activeElement?.blur();
                        const images = [...document.images];
                        for (const image of images) image.loading = "eager";
                        await Promise.all(images.map((image) => image.decode().catch(() => {})));
                    }"""
                )
                picture = page.screenshot(full_page=True)
                EVERYTHING.mkdir(parents=True, exist_ok=True)
                (EVERYTHING / f"{name}-{width}-{scheme}.png").write_bytes(picture)
                shown = DOCUMENTED.get(name)
                if shown is not None and (shown.width, shown.scheme) == (width, scheme):
                    keep(name, picture, shown.tallest)
        page.set_viewport_size({"width": WIDTHS["wide"], "height": HEIGHT})
        page.emulate_media(color_scheme="light")

    def activity(self, page: Page, name: str) -> str:
        """Open an activity of the course; its address."""
        self.open_course(page)
        page.get_by_role("link", name=re.compile(rf"^{re.escape(name)}")).first.click()
        page.wait_for_load_state("networkidle")
        return page.url

    def open_course(self, page: Page) -> None:
        """The course page, behind the page on which Moodle at times recalculates grades first."""
        page.goto(self.course)
        go_on = page.get_by_text("Continue", exact=True)
        if go_on.is_visible():
            go_on.click()
            page.wait_for_load_state()
            if page.url != self.course:
                page.goto(self.course)

    def alone(self, page: Page, activity: str) -> None:
        """The tool's page of an activity in a window of its own, so that all of it is on the picture."""
        page.goto(activity.replace("view.php", "launch.php") + "&triggerview=0")
        page.wait_for_url(f"{self.tool}/**")

    def learners(self) -> str:
        """Wallets; returns the address of a shared badge."""
        ada = self.visitor("Ada Abel")
        activity = self.activity(ada, ACTIVITY)
        ada.frame_locator("iframe").get_by_role("heading", name="Earned").wait_for()
        self.take(ada, "course-with-wallet")
        self.alone(ada, activity)
        self.take(ada, "wallet-earned")
        ada.locator(".sharing > summary").first.click()
        if ada.get_by_role("button", name="Share this badge").first.is_visible():
            ada.get_by_role("button", name="Share this badge").first.click()
            ada.wait_for_load_state()
        address = ada.get_by_label("Address of the badge").first.input_value()
        self.take(ada, "wallet-sharing")
        hana = self.visitor("Hana Horvat")
        self.alone(hana, self.activity(hana, ACTIVITY))
        self.take(hana, "wallet-in-progress")
        self.take(hana, "wallet-narrow-dark")
        for page in (ada, hana):
            page.context.close()
        return address

    def teacher(self) -> None:
        """From the picker to the course page."""
        page = self.visitor("Tamara Teacher")
        activity = self.activity(page, ACTIVITY)
        self.alone(page, activity)
        self.take(page, "course-progress")
        self.open_course(page)
        page.get_by_role("link", name=re.compile("Badges")).last.click()
        page.get_by_role("button", name="Select content").click()
        dialogue = page.frame_locator("#contentitem-page-iframe")
        dialogue.get_by_role("link", name="New badge").wait_for()
        beside = page.context.new_page()
        frame = page.locator("#contentitem-page-iframe").get_attribute("src") or ""
        beside.goto(f"{self.lms}{frame}")
        beside.wait_for_url(f"{self.tool}/**")
        self.take(beside, "picker")
        beside.close()
        dialogue.get_by_role("link", name="New badge").click()
        dialogue.get_by_label("Name", exact=True).fill("Data Stories")
        dialogue.locator("summary", has_text="Description").click()
        dialogue.get_by_label("Description", exact=True).fill("Tells what data says to people who know none.")
        dialogue.get_by_label("Skills").fill("Data storytelling\nWriting for a public")
        dialogue.get_by_label("Assessment").fill("Quiz 1")
        dialogue.get_by_label("At least", exact=True).fill("80")
        dialogue.get_by_text("Picture", exact=True).click()
        dialogue.get_by_label("Icon", exact=True).select_option("book-open")
        dialogue.get_by_label("Text on the badge").fill("Data Stories")
        dialogue.get_by_label("Description of the picture").fill("A green hexagon with an open book")
        dialogue.get_by_role("button", name="Try it").click()
        dialogue.get_by_text("Quiz 1: at least 80").first.wait_for()
        # The draft is kept: the same form, in a window of its own, where it is said in words once more.
        beside = page.context.new_page()
        beside.goto(f"{self.lms}{frame}")
        beside.get_by_role("link", name="Continue your unfinished badge").click()
        beside.get_by_role("button", name="Try it").click()
        beside.get_by_text("Quiz 1: at least 80").first.wait_for()
        self.take(beside, "form-in-words")
        beside.close()
        dialogue.get_by_role("button", name="Add to the course").click()
        page.get_by_text("Content selected").wait_for()
        page.get_by_role("button", name="Save and display").click()
        page.wait_for_url("**/mod/lti/view.php**")
        placed = page.url
        self.alone(page, placed)
        page.get_by_role("link", name="Open the formula page").wait_for()
        self.take(page, "setup-formula")
        page.context.close()

    def public(self, badge: str) -> None:
        """What strangers see."""
        page = self.visitor()
        for name, address in (
            ("front", "/"),
            ("connect", "/lti/connect"),
            ("verify", "/verify"),
            ("error", "/nothing-here"),
        ):
            page.goto(self.tool + address)
            self.take(page, name)
        page.goto(badge)
        self.take(page, "public-badge")
        page.get_by_role("link", name="About this achievement").click()
        self.take(page, "achievement")
        page.goto(badge)
        page.locator(".diploma-issuer a").click()
        self.take(page, "issuer")
        page.goto(badge)
        page.get_by_role("button", name="Verify now").click()
        page.get_by_role("heading", name="Step by step").wait_for()
        self.take(page, "verified")
        page.context.close()

    def samples(self) -> None:
        """Pages of the gallery, on made-up courses."""
        tool = Sample()
        app = gallery_app(tool, RATELIMIT_ENABLED=False)
        named = {sample.name: sample for sample in PAGES}
        page = self.visitor()
        with serving(app) as port:
            site = Site(app, tool, f"http://localhost:{port}")
            site.admit(page.context)
            for name, sample in SAMPLES.items():
                site.show(page, named[sample])
                self.take(page, name)
        page.context.close()

    def staff(self, link: str) -> None:
        """The staff pages, one after the other as their menu lists them."""
        page = self.visitor()
        page.goto(link)
        self.take(page, "staff-sign-in")
        page.get_by_role("button", name="Sign in").click()
        menu = page.locator(".staff-nav a")
        menu.first.wait_for()
        for number in range(menu.count()):
            name = menu.nth(number).inner_text().strip().lower().replace(" ", "-")
            menu.nth(number).click()
            page.wait_for_load_state()
            self.take(page, "staff-home" if number == 0 else f"staff-{name}")
        page.goto(f"{self.tool}/staff/holders")
        page.locator("table.rows tbody a").first.click()
        page.wait_for_load_state()
        self.take(page, "staff-holder")
        page.context.close()


def keep(name: str, picture: bytes, tallest: int) -> None:
    """A picture of the documentation: cut, and with as few colours as its eye needs."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, round(tallest * SHARPNESS))))
    PICTURES.mkdir(exist_ok=True)
    small = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(PICTURES / f"{name}.png", optimize=True)


def main() -> int:
    """Take all pictures anew."""
    with tempfile.TemporaryDirectory() as folder, demo(Path(folder)) as (course, tool, environment):
        command = [sys.executable, "-m", "lti_tool.cli", "staff", "invite", ORGANISATION, "--role", "owner"]
        command += ["--name", "Olivia Owner", "--email", "olivia@example.org"]
        invited = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        link = re.findall(r"https?://\S+", invited.stdout)[0]
        with sync_playwright() as playwright:
            browser = needs.start_chromium(playwright.chromium)
            photographer = Photographer(browser, course, tool)
            badge = photographer.learners()
            photographer.teacher()
            photographer.public(badge)
            photographer.staff(link)
            photographer.samples()
            browser.close()
    sys.stdout.write(f"{len(list(EVERYTHING.glob('*.png')))} pictures in {EVERYTHING.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
