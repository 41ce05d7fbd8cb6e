"""Every page and every component in every state, on sample services: ``make gallery``."""
