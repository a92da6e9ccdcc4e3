from capture_helpers import charts, home, kolm

__all__ = ["charts", "home", "kolm"]
