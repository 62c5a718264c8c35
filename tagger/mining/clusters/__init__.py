"""Clusters of photos that look alike: what a label system has no name for yet."""
