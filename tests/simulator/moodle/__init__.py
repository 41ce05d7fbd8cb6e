"""Moodle 4.4: its addresses, messages, services and pages (MOODLE.md, recordings ``moodle/``)."""
