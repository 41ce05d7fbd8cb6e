"""One trait of an LMS: what a client has to know of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trait:
    """One observable behaviour of an LMS; `test` is ``module::function`` below tests/integration/simulator.

    A trait without its test fails ``tests/integration/simulator/test_traits.py``.
    """

    name: str
    symptom: str
    source: str
    test: str
    lms: str
    version: str
