"""Known faults of clients, planted one at a time. Each names the thread where a client of the field had it: the table is
in README.md."""

from __future__ import annotations

from dataclasses import dataclass

Edit = tuple[str, str, str]
"""File below src/realtime_client, what stands there once, and what is put in its place."""


@dataclass(frozen=True)
class Bug:
    name: str
    thread: str
    edits: tuple[Edit, ...]
    driver: bool = False
    """The driver is wrong, not the machine: only the scenarios over sockets can see it."""


BUGS = (
    Bug(
        "events of an older attempt act on the new one",
        "js#393, js#426, dart#126",
        (("machine/step.py", "case Closed(n, code, reason):\n            if n == state.n:", "case Closed(n, code, reason):\n            if n:"),),
    ),
    Bug(
        "a late reply completes the next subscribe",
        "js#419",
        (("machine/subscriptions.py", "if sub and sub.command == number:\n        acked(", "if sub:\n        acked("),),
    ),
    Bug(
        "messages are delivered after unsubscribe",
        "js#393, dart#128",
        (
            ("machine/recovery.py", "return sub.count > 0 and not sub.leaving and", "return not sub.leaving and"),
            ("machine/step.py", "sub.count > 0 and sub.generation == emission.generation", "True"),
        ),
    ),
    Bug("a refused token is tried for ever", "js#399, go#153", (("machine/connection.py", "if s.refusals > 1:", "if s.refusals > 10**9:"),)),
    Bug("a slow token provider is waited for without limit", "dart#143", (("machine/token.py", '    arm(m, "token", DEADLINE)\n', ""),)),
    Bug("an empty token connects", "dart#122", (("machine/token_reply.py", 'not isinstance(token, str) or token == ""', "not isinstance(token, str)"),)),
    Bug(
        "the late token of a dead connection is used",
        "js#435, dart#129, js#24",
        (("machine/step.py", "if request == state.request:\n                token_reply.token_arrived", "if request:\n                token_reply.token_arrived"),),
    ),
    Bug("attempts without a floor", "js#408", (("machine/closing.py", "FLOOR = 100", "FLOOR = 0"),)),
    Bug("a late timer judges at once", "js#398, js#417", (("machine/timers.py", "late >= GRACE", "late < 0"),)),
    Bug("a gap does not move the position", "js#425, dart#142", (("machine/recovery.py", "m.state.positions[lost.stream] = lost.position", "pass"),)),
    Bug(
        "a publication is forgotten with its connection",
        "js#272",
        (("machine/commands.py", "if _publishes(pending.command):\n            _keep_for_next(pending)", "if _publishes(pending.command):\n            pass"),),
    ),
    Bug(
        "one handler that raises ends all dispatch",
        "js#394, js#391, js#414",
        (("client.py", "except Exception as error:\n                self._hooks.report(error)\n\n        return self._listeners", "except ZeroDivisionError as error:\n                self._hooks.report(error)\n\n        return self._listeners"),),
        driver=True,
    ),
    Bug("a dropped socket is not closed", "js#227, js#281", (("machine/connection.py", 'if m.state.phase == "dialing" or out.is_open(m):', "if out.is_open(m):"),)),
)
