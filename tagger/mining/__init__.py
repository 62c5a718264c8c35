"""Growing the label system: what photos that nobody has labelled, and the annotations that there are, tell about it."""
