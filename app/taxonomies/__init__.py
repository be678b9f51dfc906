"""Roles, titles, levels, regions and industries: seeds, storage and the routes that read them."""
