"""Data versions as they change, for whoever keeps answers."""
