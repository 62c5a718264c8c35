"""What grows the label system: more photos of a label, labels that nobody has named yet, relations between labels."""
