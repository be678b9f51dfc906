"""Releases: the published form of confidential records."""
