"""The documentation page: Swagger UI from a package, nothing from another host."""
