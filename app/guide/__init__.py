"""The salary guide of a role, live: its tables from the records, the published figures beside."""
