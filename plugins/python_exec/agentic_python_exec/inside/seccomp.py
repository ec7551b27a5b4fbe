"""The filter of system calls, as a BPF program: an allow-list, everything else fails with EPERM.

It is written out here because the libraries for it (``pyseccomp``, ``seccomp``) are bindings that need libseccomp on
the machine, and would have to lie within the sandbox. A list of equal tests needs no compiler.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Iterator

from .kernel_calls import PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, prctl
from .system_calls import ALLOWED, EXTENDED_ATTRIBUTES, FILE_ATTRIBUTES, NUMBERS, RESERVING, UNKNOWN

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine → column of ``NUMBERS``, and the kernel's name for it (``AUDIT_ARCH_*``)."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN, _AND = 0x20, 0x15, 0x35, 0x06, 0x54
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS, _ENOTSUP = 1, 38, 95
_X32 = 0x40000000
_MODE_FILTER = 2

_CLONE_FILES, _CLONE_THREAD = 0x00000400, 0x00010000
_AS_A_THREAD = _CLONE_FILES | _CLONE_THREAD
"""All threads share one table of open files, so that the keeper can count what they hold."""
_CLOSE_RANGE = (0, 4)
"""Closing now or at exec; not for a table of the thread's own."""
_OPEN_TRUNCATING = os.O_TRUNC | os.O_ACCMODE
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPES = 1, 1, 0xF
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""Duplicates, flags, record locks, a pipe's size; no owner of signals, no leases, no notifications."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what Python asks of any file."""
_PRCTL = (3, 15, 16)
"""Whether the process is dumpable; the name of a thread, to set and to get."""

_RENAME = (0, 1, 2)
"""Plainly, to a free name, in exchange; not leaving a device behind, which old versions of Landlock let pass too."""

Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(*, keep_attributes: bool) -> None:
    """Filter the system calls of this thread, and of those it starts, for good. Raises OSError.

    ``keep_attributes``: changes of modes, owners and times report success and do nothing.
    """
    packed = b"".join(struct.pack("=HBBI", *one) for one in program(platform.machine(), keep_attributes, os.getpid()))
    instructions = ctypes.create_string_buffer(packed, len(packed))
    filter_ = _Program(len(packed) // 8, ctypes.cast(instructions, ctypes.c_void_p))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_))


def program(machine: str, keep_attributes: bool, pid: int) -> list[Instruction]:
    """The filter for the process ``pid``. Raises OSError for a machine whose numbers are not known."""
    if machine not in ARCHITECTURES:
        raise OSError(f"no filter of system calls for {machine}")
    column, architecture = ARCHITECTURES[machine]
    code = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_EQUAL, 1, 0, architecture), _return(_KILL)]
    code += [(_LOAD, 0, 0, _NUMBER_AT), (_AT_LEAST, 0, 1, _X32), _return(_KILL)]
    for name, block in _blocks(keep_attributes, pid):
        number = NUMBERS[name][column]
        if number is not None:
            # A call of another number jumps over the whole block, which always returns.
            code += [(_EQUAL, 0, len(block), number), *block]
    return [*code, _errno(_EPERM)]


def _blocks(keep_attributes: bool, pid: int) -> Iterator[tuple[str, list[Instruction]]]:
    yield from ((name, [_return(_ALLOW)]) for name in ALLOWED)
    attributes = _errno(0) if keep_attributes else _return(_ALLOW)
    yield from ((name, [attributes]) for name in FILE_ATTRIBUTES)
    yield from ((name, [_errno(_ENOTSUP)]) for name in (*EXTENDED_ATTRIBUTES, *RESERVING))
    yield from ((name, [_errno(_ENOSYS)]) for name in UNKNOWN)
    yield "openat", _not_truncating(2)
    yield "open", _not_truncating(1)
    yield "renameat2", [_argument(4), *_allow_if(_RENAME)]
    yield "clone", [_argument(0), (_AND, 0, 0, _AS_A_THREAD), *_allow_if([_AS_A_THREAD])]
    yield "close_range", [_argument(2), *_allow_if(_CLOSE_RANGE)]
    yield "kill", [_argument(0), *_allow_if([pid])]
    yield "tgkill", [_argument(0), *_allow_if([pid])]
    yield "fcntl", [_argument(1), *_allow_if(_FCNTL)]
    yield "ioctl", [_argument(1), *_allow_if(_IOCTL)]
    yield "prctl", [_argument(0), *_allow_if(_PRCTL)]
    # To read limits, not to set them.
    yield "prlimit64", [_argument(0), *_only_if(0, pid), *_only_if_zero(2), _return(_ALLOW)]
    kind = [_argument(1), (_AND, 0, 0, _SOCK_TYPES), *_allow_if([_SOCK_STREAM])]
    yield "socketpair", [_argument(0), *_only_if(_AF_UNIX), *kind]
    # To the other end of a pair, to no address.
    yield "sendto", [*_only_if_zero(4), _return(_ALLOW)]


def _not_truncating(position: int) -> list[Instruction]:
    """Refuse to truncate what is opened for reading: older versions of Landlock would allow it."""
    return [_argument(position), (_AND, 0, 0, _OPEN_TRUNCATING), (_EQUAL, 0, 1, os.O_TRUNC), _errno(_EPERM),
            _return(_ALLOW)]  # fmt: skip


def _argument(position: int, high: bool = False) -> Instruction:
    """Load the lower half of an argument, which is all that the kernel looks at for an int, or the upper one."""
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * position + (4 if high else 0))


def _only_if(*values: int) -> list[Instruction]:
    """Go on if the loaded value is one of these, else refuse."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*tests, _errno(_EPERM)]


def _only_if_zero(position: int) -> list[Instruction]:
    return [_argument(position), *_only_if(0), _argument(position, high=True), *_only_if(0)]


def _allow_if(values: Iterable[int]) -> list[Instruction]:
    return [*_only_if(*values), _return(_ALLOW)]


def _return(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _errno(number: int) -> Instruction:
    return _return(_ERRNO | number)
