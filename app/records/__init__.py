"""Single records: listed page by page, and deleted."""
