"""python -m custome."""

from .cli.app import main

raise SystemExit(main())
