"""The cleaning loop: what a data set's people should look at, and what they said."""
