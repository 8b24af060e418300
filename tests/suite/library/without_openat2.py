"""Runs a program as on a kernel that has no openat2 (before Linux 5.6): `without_openat2.py ERRNO PROGRAM [ARGUMENT…]`.

A seccomp filter answers the call with that error, as the kernel did (ENOSYS), or as the filters of older container engines do (EPERM).
"""

import ctypes
import os
import struct
import sys

OPENAT2 = 437
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000

error = int(sys.argv[1])
steps = [(LOAD, 0, 0, 0), (EQUALS, 0, 1, OPENAT2), (RETURN, 0, 0, ERROR | error), (RETURN, 0, 0, ALLOW)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
filter_ = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(program))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_):
    sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
if libc.syscall(OPENAT2, -100, b"/", 0, 0) != -1 or ctypes.get_errno() != error:
    sys.exit("openat2 is still there")
os.execv(sys.argv[2], sys.argv[2:])
