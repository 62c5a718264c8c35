"""What ``python -m tagger.mine`` does, a module each."""
