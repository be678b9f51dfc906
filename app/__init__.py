"""Payband: statistics of pay and labour demand."""

__version__ = "0.1.0"
