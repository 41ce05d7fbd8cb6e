"""What documents have in common may change under one id: then another shape is compiled for them."""

from __future__ import annotations

from dataclasses import replace

from lti_tool.credentials.shapes import ShapeCache
from tests.unit.credentials.badges import ACHIEVEMENT, badge


def test_badges_find_the_fast_route_again_after_a_correction() -> None:
    shapes = ShapeCache()
    assert [shapes.find(badge(number)) is not None for number in range(3)] == [False, True, True]
    corrected = replace(ACHIEVEMENT, name="Data Protection: The Basics")
    found = [shapes.find(badge(number, achievement=corrected)) for number in range(20)]
    assert found[0] is None
    assert all(one is not None for one in found[-5:])


def test_one_odd_document_among_others_costs_them_nothing() -> None:
    shapes = ShapeCache()
    odd = replace(ACHIEVEMENT, name="Data Protection: The Basics")
    for number in range(3):
        shapes.find(badge(number))
    for number in range(50):
        assert shapes.find(badge(number, achievement=odd)) is None
        assert shapes.find(badge(number)) is not None
