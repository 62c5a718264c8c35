"""A package, because a wheel that the tests want brings one of this name, which would be found instead."""
