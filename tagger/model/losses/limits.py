"""Limits that the settings of several losses share."""


def at_least_zero(**settings: float) -> None:
    """Refuse settings that are negative or not finite.

    Raises:
        ValueError: If one is; it is named.
    """
    for name, value in settings.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be at least 0 and finite, got {value}")
