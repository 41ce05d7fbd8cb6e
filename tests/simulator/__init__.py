"""A small learning management system that behaves as Moodle 4.4 does towards an LTI 1.3 Advantage tool.

Used twice: journey tests drive it in process over WSGI (`client.Person`, `client.mount`), and ``make run``
serves it as the demo LMS (``python -m tests.simulator``). It knows nothing of the tool under test and imports
nothing of it; what it does is measured against recordings of a real Moodle
(``tests/integration/simulator/test_recordings.py``), and every trait worth knowing stands in `traits`.
"""
