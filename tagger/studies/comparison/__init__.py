"""Did one version beat another? Runs on the same test photos, compared figure by figure and label by label.

``runs`` reads what runs left, ``comparable`` refuses what cannot be compared, ``resampling`` and ``weighted`` are the
statistics, ``figures`` what is measured of a run, ``comparison`` what comes of it; the other files write it down.
"""
