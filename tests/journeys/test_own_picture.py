"""A badge with a picture of one's own, from the file to the share, without a line of script (S1 S4)."""

from __future__ import annotations

import io

from PIL import Image

from lti_tool.credentials.baking import unbake_png
from lti_tool.store.tables import AchievementVersion, Picture
from lti_tool.web.headers import PICTURE_POLICY
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.simulator.browser import Page

DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" onload="alert(1)"><script>alert(1)</script>'
    b'<rect width="40" height="20" fill="#00ff00"/></svg>'
)
FILES = {"picture": ("badge.svg", DRAWING, "image/svg+xml")}


def centre(picture: bytes) -> tuple[int, ...]:
    pixel: tuple[int, ...] = Image.open(io.BytesIO(picture)).convert("RGBA").getpixel((256, 256))
    return pixel


def described(page: Page) -> str:
    """The problems that a page tells, if any."""
    notice = page.soup.select_one(".notice-bad")
    return notice.get_text(" ") if notice else ""


def test_a_picture_goes_from_a_file_into_a_shared_badge(campus: Campus) -> None:
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course))
    typed = campus.form_fields() | {"image_alt": ""}

    page = teacher.submit(form, typed, form="micromodules/new", button="place", files=FILES)
    assert "Description of the picture" in described(page), "nobody else knows what is to be seen"
    assert page.form("micromodules/new").fields["name"] == typed["name"]
    shown = teacher.get(str(page.soup.select("#artwork-preview")[0]["src"]), page=page)
    assert b"#00ff00" in shown.body
    assert b"alert" not in shown.body
    answer = teacher.submit(page, {"image_alt": "A green field"}, form="micromodules/new", button="place")
    (badge,) = teacher.save_selected(answer)
    campus.set_up(badge)

    course = teacher.launch(badge.id)
    page = teacher.follow(course, f"Edit : {typed['name']}")
    assert page.form("/edit").fields["image_alt"] == "A green field"
    teacher.submit(page, {"name": "Open Data in the Field"}, form="/edit", button="change")
    with campus.tool.database.read() as session:
        (version,) = session.query(AchievementVersion).all()
        (picture,) = session.query(Picture).all()
    assert version.artwork == {"picture_id": picture.id, "alt": "A green field"}
    assert centre(version.image_png) == (0, 255, 0, 255)

    campus.publish(badge)
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    ada.submit(wallet, form="sharing")
    path = f"/credentials/{credential_of(wallet)}"
    stranger = campus.app.test_client()
    baked = stranger.get(f"{path}.png", base_url=TOOL_URL).data
    assert centre(baked) == (0, 255, 0, 255)
    assert unbake_png(baked) == stranger.get(f"{path}.json", base_url=TOOL_URL).text
    svg = stranger.get(f"{path}.svg", base_url=TOOL_URL)
    # Opened by its address it is a document, in which the pixels of a photograph stand as data.
    assert svg.headers["Content-Security-Policy"] == PICTURE_POLICY
    assert {"sandbox", "img-src data:"} <= set(PICTURE_POLICY.split("; "))
    assert b"alert" not in svg.data
    assert b"<title>A green field</title>" in svg.data
    assert b'alt="A green field"' in stranger.get(path, base_url=TOOL_URL).data


def test_a_neighbour_sees_and_takes_nothing_of_it(campus: Campus) -> None:
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course))
    page = teacher.submit(form, campus.form_fields(), form="micromodules/new", button="upload", files=FILES)
    picture_id = str(page.form("micromodules/new").fields["picture_id"])

    neighbour = campus.neighbour
    assert neighbour is not None
    stranger = neighbour.browser(neighbour.teacher)
    theirs = stranger.to_form(stranger.deep_link(neighbour.course))
    taken = {**neighbour.form_fields(), "picture_id": picture_id, "image_alt": "Theirs"}
    page = stranger.submit(theirs, taken, form="micromodules/new", button="place")
    assert page.status == 422
    assert "Choose a file first." in page.words
    shown = stranger.get(str(page.soup.select("#artwork-preview")[0]["src"]), page=page)
    assert shown.status == 404
