"""Data files of the seeded taxonomies; a package, so that they travel in a wheel."""
