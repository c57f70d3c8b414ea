"""Runs a command to its end and prints what it took, as JSON: `python -I -S benchmarks/launcher.py COMMAND...`.

A process of its own, with nothing imported that is not needed: the system counts a process's largest memory from before
it starts its program, when it still is a copy of the one that starts it.
"""

import json
import os
import sys
import time


def main(command: list[str]) -> None:
    """Runs `command` with its output thrown away.

    Args:
      command: program and arguments.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, stream) for stream in (0, 1, 2)]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    taken = {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss / 1024,
        "code": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1:])
