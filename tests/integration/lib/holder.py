# SPDX-License-Identifier: MIT
"""Holds a listening socket, as a service manager would, and starts programs that are given it.

Reads a line for each program to start: a JSON list, its argument vector. Writes JSON lines: {"port"},
{"pid"} for each start, {"pid", "code"} for each end. The programs' standard error is ours.
"""
import json
import os
import socket
import sys
import threading


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def wait(pid):
    _, status = os.waitpid(pid, 0)
    say(pid=pid, code=os.waitstatus_to_exitcode(status))


listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", 0))
listener.listen(4096)
say(port=listener.getsockname()[1])

for line in sys.stdin:
    argv = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.environ["LISTEN_FDS"] = "1"
        os.execv(argv[0], argv)
    say(pid=pid)
    threading.Thread(target=wait, args=(pid,), daemon=True).start()
