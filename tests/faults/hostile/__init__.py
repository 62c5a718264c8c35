"""Files made to harm who opens them, by what they are."""
