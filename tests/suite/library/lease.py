"""Holds a lease on a file (fcntl(2), F_SETLEASE) until its standard input ends: whoever opens the file has to wait for that."""

import fcntl
import signal
import sys

signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], "r+b")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
