"""Shipped profiles of price indices, as TOML."""
