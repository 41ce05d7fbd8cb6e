"""Badges with pictures that people brought: the standard extractors find what is baked, and nothing else."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from lti_tool.credentials.baking import OPEN_BADGES_2, OPEN_BADGES_3
from lti_tool.credentials.uploads import sanitise, with_alt
from lti_tool.store import tables
from tests.conformance.judges import extracted_by_bakery
from tests.conformance.test_open_badges_2 import JSON_LD, World, judged, world

__all__ = ["world"]
pytestmark = pytest.mark.timeout(600)  # the first of them installs what the others use


def photograph() -> bytes:
    noise = Image.frombytes("RGB", (300, 200), random.Random(6).randbytes(180_000))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=80)
    return file.getvalue()


def baked_elsewhere() -> bytes:
    """An SVG as a drawing program exports it, that is somebody else's badge already."""
    return b"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:openbadges="http://openbadges.org" viewBox="0 0 80 60">
<openbadges:assertion verify="https://elsewhere.example/1"><![CDATA[{"id": "https://elsewhere.example/1"}]]>
</openbadges:assertion>
<style>.a{fill:#1f6f54}</style><path class="a" d="M5 55L30 15L50 40L60 28L75 55Z"/></svg>"""


PICTURES = {"photograph": photograph(), "drawing": baked_elsewhere()}


@pytest.fixture(params=PICTURES)
def uploaded(request: pytest.FixtureRequest, world: World) -> World:
    made = sanitise(PICTURES[request.param])
    svg = with_alt(made.svg, "What somebody brought")
    world.school.change(tables.AchievementVersion, image_svg=svg, image_png=made.png)
    return world


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_bakery_reads_open_badges_2(python: Path, uploaded: World, kind: str, tmp_path: Path) -> None:
    path = f"/ob2/assertions/{uploaded.credential_id}"
    picture = tmp_path / f"badge.{kind}"
    picture.write_bytes(uploaded.client.get(f"{path}.{kind}").data)
    told = extracted_by_bakery(python, picture)
    served = uploaded.client.get(path, headers=JSON_LD).get_json(force=True)
    assert (json.loads(told) == served) if told.startswith("{") else (told == uploaded.url)


def test_the_validator_of_1edtech_is_content(python: Path, uploaded: World) -> None:
    report = judged(python, uploaded, uploaded.url)
    assert (report["valid"], report["messages"]) == (True, [])


def test_other_readers_find_open_badges_3(uploaded: World) -> None:
    """Pillow and the standard library's XML know nothing of badges."""
    path = f"/credentials/{uploaded.credential_id}"
    signed = uploaded.client.get(f"{path}.json").text
    picture = Image.open(io.BytesIO(uploaded.client.get(f"{path}.png").data))
    picture.load()
    assert picture.size == (512, 512)
    texts = picture.text  # type: ignore[attr-defined]
    assert texts == {OPEN_BADGES_3.keyword.decode(): signed}
    root = ET.fromstring(uploaded.client.get(f"{path}.svg").data)
    (credential,) = root.findall(f"{{{OPEN_BADGES_3.namespace}}}{OPEN_BADGES_3.element}")
    assert json.loads(credential.text or "") == json.loads(signed)
    assert not root.findall(f".//{{{OPEN_BADGES_2.namespace}}}{OPEN_BADGES_2.element}")
