"""Out-of-fold scores: what models say about photos that they have not seen."""
