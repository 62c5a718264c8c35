"""Settings → a trained network: what ``tagger.train`` and ``tagger.search`` share."""
