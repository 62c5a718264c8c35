"""What the label system knows: applied to scores (rules), judged on validation (audit), in a run (auditing)."""
