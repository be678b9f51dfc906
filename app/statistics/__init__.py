"""Statistics of salary records: filters, population, measures, queries."""
