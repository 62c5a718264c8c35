"""What several runs say together: whether one version beats another, and how surely."""
