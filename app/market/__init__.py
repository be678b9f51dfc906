"""Pay and demand side by side, for the same groups."""
