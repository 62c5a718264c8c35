"""Cleaning: which labels of which photos people should look at, what they answered, and what it bought.

The folders in the order of the loop: ``scoring`` → ``labels`` → ``queue`` → ``tasks`` → ``verdicts`` → ``report``; in
``steps`` is what ``python -m tagger.clean step=…`` does.
"""
