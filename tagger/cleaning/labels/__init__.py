"""Which labels to clean: the large ones that are poor all the same."""
