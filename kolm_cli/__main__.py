"""`python -m kolm_cli` is `kolm`."""

from __future__ import annotations

from kolm_cli.cli.app import main

if __name__ == "__main__":
    main()
