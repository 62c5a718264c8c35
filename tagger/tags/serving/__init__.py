"""The page of ``tagger.serve``: photos and their tags, thresholds to move, tags to correct.

``reading`` makes of a photo what the page needs of it, in processes of their own; ``folder`` keeps to the folder that
the command names. ``album`` is what one visitor has dropped, with its scores: moving a threshold decides anew without
the network. ``desk`` is what all visitors share. ``views`` writes the HTML of the page's parts, ``page`` puts them into
Gradio, ``server`` serves them, and ``border`` lets in what is needed and nothing else. Only ``page`` and ``server``
import Gradio.
"""
