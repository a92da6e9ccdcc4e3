from tests.families.conftest import _quiet_single_thread, new_case

__all__ = ["_quiet_single_thread", "new_case"]
