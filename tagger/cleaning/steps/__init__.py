"""The steps of the loop: what ``python -m tagger.clean step=…`` does, a module each."""
