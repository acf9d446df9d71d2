"""A person at a terminal of 80 columns and 24 lines: runs a program on one and answers its questions.

    terminal.py '[["text to wait for", "line to type"], ...]' PROGRAM ARGUMENT...

Whatever the terminal shows goes to standard output at once; the exit code is the program's, 124 if what is
waited for does not come within a minute.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 60.0


def main() -> int:
    answers = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown, until = b"", time.monotonic() + PATIENCE
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            sys.stdout.write(f"\n[still waiting: {answers}]\n")
            return 124
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the program's end closes the terminal
            part = b""
        if not part:
            break
        os.write(1, part)
        shown, until = shown + part, time.monotonic() + PATIENCE
        while answers and answers[0][0].encode() in shown:
            text, line = answers.pop(0)
            shown = shown.split(text.encode(), 1)[1]
            os.write(terminal, line.encode() + b"\n")
    _, status = os.waitpid(child, 0)
    if answers:
        sys.stdout.write(f"\n[never asked: {answers}]\n")
        return 124
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
