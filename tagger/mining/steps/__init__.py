"""What can be mined, a module each: ``python -m tagger.mine what=<module>`` calls its ``run``."""
