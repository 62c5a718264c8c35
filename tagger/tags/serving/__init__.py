"""The page of ``tagger.serve``: photos and their tags, thresholds to move, tags to correct.

``reading`` makes of a photo what the page needs of it, in the processes of ``workers``; ``folder`` keeps to the folder
that the command names. ``album`` is what one visitor has dropped, with its scores: moving a threshold decides anew
without the network. ``visitors`` knows whose album is whose, ``desk`` is what all visitors share. ``views`` writes the
HTML of the page, ``application`` answers what the page asks, ``border`` lets in our own page and nothing else, ``body``
bounds what a request may send, and ``server`` serves it all.

What a browser sends is a number, a score, a text to show, or the bytes of a photo, and never becomes a path. The one
exception is the name of a folder below ``root``: see ``folder``.
"""
