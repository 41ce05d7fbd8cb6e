"""The documentation's pictures: each is there, each is shown, each is told in words, all are small."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from tests.gallery.screenshots import DOCUMENTED, TAKEN_IN_MOODLE

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "pictures"
LARGEST = 1_500_000
"""Bytes of all pictures together: who clones the repository fetches them."""


def shown() -> list[tuple[Path, str, Path]]:
    """(page, words, picture) of every picture that a page shows."""
    return [
        (page, words, (page.parent / target).resolve())
        for page in DOCS.rglob("*.md")
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    ]


def test_every_picture_is_there_and_shown() -> None:
    assert {picture for _, _, picture in shown()} == {path.resolve() for path in FOLDER.iterdir()}


def test_the_script_makes_every_picture_but_those_of_a_real_moodle() -> None:
    named = {*DOCUMENTED, *TAKEN_IN_MOODLE}
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.png" for name in named}


def test_every_picture_is_told_in_words() -> None:
    for page, words, picture in shown():
        assert 40 <= len(words) <= 200, (page.name, picture.name, words)


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < LARGEST
    for path in FOLDER.iterdir():
        with Image.open(path) as image:
            assert image.mode == "P", f"{path.name} has not been made small"
            assert image.width <= 1500, path.name
