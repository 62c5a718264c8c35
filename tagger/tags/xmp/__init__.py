"""Tags in XMP sidecars, the small XML files beside photos that photo managers read and write.

``spans`` reads the XML and remembers where every element stands, ``keywords`` says what a photo's tags are called in
each of the three properties, ``merging`` changes the bytes of a sidecar, ``sidecars`` finds the files and writes them.
"""
