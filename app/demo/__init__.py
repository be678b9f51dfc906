"""Synthetic demo data: built from the published guide's ranges, and named as what it is."""

from app.demo.loading import load_demo, load_demo_apart, remove_demo

__all__ = ["load_demo", "load_demo_apart", "remove_demo"]
