"""Exchange rates of the European Central Bank, and pay priced with them."""

from app.rates.current import load_rate_table, output_rate
from app.rates.loading import RatesReport, RepriceReport, import_rates, reprice_pending, seed_rates

__all__ = [
    "RatesReport",
    "RepriceReport",
    "import_rates",
    "load_rate_table",
    "output_rate",
    "reprice_pending",
    "seed_rates",
]
