"""Random schedules. ``SEEDS`` sets how many, ``SEED`` runs one alone."""

from __future__ import annotations

import os
from collections import Counter

from schedules.world import World

SEEDS = int(os.environ.get("SEEDS", 1_000))
ONLY = os.environ.get("SEED")


def test_random_schedules_keep_what_the_client_promises() -> None:
    totals: Counter[str] = Counter()
    for seed in [int(ONLY)] if ONLY else range(1, SEEDS + 1):
        world = World(seed)
        try:
            world.run(40)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        totals += world.counts
        totals["messages"] += world.oracle.delivered
        totals["gaps"] += world.oracle.gaps
    print(", ".join(f"{what} {count}" for what, count in sorted(totals.items())))
    # A search that never comes to these shows nothing.
    if not ONLY:
        for what in ("resumed True", "resumed False", "kill", "stop", "sleep", "waiting"):
            assert totals[what] > SEEDS / 20, what
