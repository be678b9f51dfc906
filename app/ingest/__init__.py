"""Writing records: bytes to columns, profiles, checks, COPY and merge, and the doors."""
