"""Cells: public salary records packed so that wide questions read few bytes."""
