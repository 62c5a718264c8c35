"""Which photos to ask about: the annotations that are probably wrong, or drawn at random, and what is known of them."""
