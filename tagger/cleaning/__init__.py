"""Cleaning: which labels of which photos people should look at, and what they said.

``queue_table`` is what lies between the two: ``export`` sends the tasks of a queue out, ``importing`` brings verdicts
back into the catalog.
"""
