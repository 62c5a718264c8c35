"""What one customer wants of a bundle: read (profile), promised (promise), completed (completion); without torch."""
