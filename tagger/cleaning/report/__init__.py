"""What a cleaning came to: found, decided, changed, whom to trust, and what it bought."""
