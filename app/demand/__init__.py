"""Statistics of demand records: openings, tightness, share."""
