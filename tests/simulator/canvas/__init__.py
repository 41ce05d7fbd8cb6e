"""Canvas: its addresses, messages, services and pages, as its source and LTI.md §7 have them."""
