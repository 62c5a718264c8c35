"""What every page has in common: one HTML file for people that needs no network, no server and no further files.

``template`` escapes and makes a page's content security policy possible, ``base.css`` is the look in light and dark,
``table.js`` sorts tables, ``thumbnails`` embeds photos and ``drawing`` makes matplotlib follow the page's colours.
"""
