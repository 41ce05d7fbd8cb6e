"""Every trait in the table is shown by a test that exists."""

import ast
from pathlib import Path

import pytest

from tests.simulator.trait import Trait
from tests.simulator.traits import TRAITS

HERE = Path(__file__).parent


@pytest.mark.parametrize("trait", TRAITS, ids=lambda trait: f"{trait.lms}-{trait.name}".replace(" ", "-"))
def test_a_trait_has_its_test(trait: Trait) -> None:
    module, _, function = trait.test.partition("::")
    tree = ast.parse((HERE / f"{module}.py").read_text("utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_traits_are_named_once_and_say_where_they_were_seen() -> None:
    assert len({(trait.lms, trait.name) for trait in TRAITS}) == len(TRAITS)
    for trait in TRAITS:
        assert trait.source
        assert trait.symptom
        assert (trait.lms, trait.version) in {("moodle", "4.4"), ("canvas", "cloud")}


def test_the_simulator_imports_nothing_of_the_tool() -> None:
    """Only what serves or drives the demo may know the tool: the model and the services must not."""
    simulator = Path(__file__).resolve().parents[2] / "simulator"
    for path in simulator.rglob("*.py"):
        if path.name == "run.py":  # the supervisor of the demo drives both sides
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [found for found in names if found.split(".")[0] == "lti_tool"], (path.name, names)
