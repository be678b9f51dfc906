"""Published figures, shown beside the statistics and never mixed into them."""
