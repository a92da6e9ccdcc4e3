from tests.capture.helpers import charts, home, kolm

__all__ = ["charts", "home", "kolm"]
