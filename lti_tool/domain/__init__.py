"""The pure domain: identity, roles, criteria, evidence, awarding.

Standard library only, frozen dataclasses, and ``now`` is an argument: everything here is tested
without a fixture, and the same facts give the same answer tomorrow (a decision can be replayed).
"""
