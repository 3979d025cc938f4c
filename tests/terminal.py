"""Runs a program on a terminal of its own: `terminal.py HOW COLUMNS PROGRAM ARGUMENT...`. What the program wrote goes
to standard output, then a line `status N`.

whole   to its end
stop    once it has drawn an evaluation, the program gets a Ctrl-C
narrow  once it has drawn, the terminal gets 40 columns; a line `===` stands before what is drawn then, and after a
        while the program gets a Ctrl-C
type    each line of standard input is typed, `\\r` and `\\x03` in it being the keys, once nothing more is drawn for a
        while; then the program is left to end
close   once it has drawn, the terminal is gone
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

how, columns, program = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


child, terminal = pty.fork()
if child == 0:
    resize(0, columns)
    # Under `nohup` it would be ignored, and the program would go on for ever.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(program[0], program)


def read(seconds):
    """What comes within so many seconds; None once the program has closed the terminal."""
    end, got = time.monotonic() + seconds, b""
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                part = b""
            if not part:
                return got, True
            got += part
    return got, False


def show(part):
    sys.stdout.buffer.write(part)


ended = False
if how == "type":
    for line in [b""] + sys.stdin.buffer.read().splitlines():
        os.write(terminal, line.decode("unicode_escape").encode("latin-1"))
        # What draws without end is typed into as well.
        for _ in range(8):
            part, ended = read(0.25)
            show(part)
            if not part or ended:
                break
elif how != "whole":
    drawn = b""
    wanted = b"valid loss" if how == "stop" else b"loss"
    while wanted not in drawn and not ended:
        part, ended = read(0.05)
        drawn += part
    if how == "stop":
        show(drawn)
        os.kill(child, signal.SIGINT)
    elif how == "narrow":
        resize(terminal, 40)
        read(0.3)
        show(b"===\n")
        part, ended = read(0.7)
        show(part)
        os.kill(child, signal.SIGINT)
    else:
        os.close(terminal)
        ended = True
while not ended:
    part, ended = read(5)
    show(part)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
show(b"\nstatus %d\n" % status)
