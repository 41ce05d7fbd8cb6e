"""A small learning management system that behaves as Moodle 4.4, or as Canvas, towards an LTI 1.3 tool.

Used twice: journey tests drive it in process over WSGI (`client.Person`, `client.mounts`), and ``make run``
serves it as the demo LMS (`run`). What every LMS has is here (`lms`, `gradebook`, `browser`, `chaos`); each
product behaves as itself in a package of its own (`moodle`, `canvas`). It knows nothing of the tool under
test and imports nothing of it. Its Moodle is measured against recordings of a real one
(``tests/integration/simulator/test_recordings.py``), its Canvas was read in Canvas's source, and every trait
worth knowing stands in `traits`, with its source and its test.
"""
