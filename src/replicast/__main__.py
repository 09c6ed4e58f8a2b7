"""`python -m replicast` is `replicast`."""

from replicast.cli import main

raise SystemExit(main())
