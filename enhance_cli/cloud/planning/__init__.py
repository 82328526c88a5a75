"""Which photos there are, whose place a result may take, and the names of the results."""
