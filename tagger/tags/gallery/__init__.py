"""An album as one page: its photos, their tags, and a slider for every threshold.

``pictures`` makes the photos small, ``blocks`` puts data into a page so that no name can leave its place, ``shown``
turns a photo's line into what the page knows of it, ``page`` writes the page as the photos come. The scripts are one
file per thing on the page.
"""
