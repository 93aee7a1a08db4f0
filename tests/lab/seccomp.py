"""Runs a program that can make no other system calls than these, and no other sockets than of these families.

    seccomp.py AUDIT_ARCH CALL,CALL,... SOCKET FAMILY,FAMILY,... -- PROGRAM ARGUMENTS...

All are numbers. Any other call ends the process at once (SIGSYS); a socket of another family is refused (EAFNOSUPPORT), as by systemd's
RestrictAddressFamilies.
"""

import ctypes
import errno
import os
import struct
import sys

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
KILL, ERROR, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
NUMBER, ARCH, FIRST = 0, 4, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def main():
    arch, calls, socket, families, dashes, *program = sys.argv[1:]
    assert dashes == "--"
    numbers = sorted(int(call) for call in calls.split(","))
    wanted = [int(family) for family in families.split(",")]
    code = [(LOAD, 0, 0, ARCH), (EQUAL, 1, 0, int(arch)), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    code += [(EQUAL, 0, 2 + 2 * len(wanted), int(socket)), (LOAD, 0, 0, FIRST)]
    for family in wanted:
        code += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ERROR | errno.EAFNOSUPPORT))
    for number in numbers:
        code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, KILL))
    text = b"".join(struct.pack("HBBI", *step) for step in code)
    held = ctypes.create_string_buffer(text)
    loaded = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option in [(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, loaded, 0, 0)]:
        if libc.prctl(*option):
            raise OSError(ctypes.get_errno(), "prctl")
    os.execv(program[0], program)


main()
