#!/usr/bin/env python3
"""An agent on the managed client, from a language that can call C: prints what happens until Ctrl+C.

    agent.py SETTINGS.json AGENT-ID        (LIBHOMING says where libhoming.so is, if the system does not know)
"""
import os
import signal
import sys
from ctypes import (CDLL, POINTER, Structure, byref, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p, sizeof,
                    string_at)

OK, STOPPED = 0, -14


class Text(Structure):
    _fields_ = [("data", c_void_p), ("len", c_size_t)]

    def __str__(self):
        return string_at(self.data, self.len).decode() if self.data else ""


class Options(Structure):
    # The first members are enough: the library takes the others as not set.
    _fields_ = [("struct_size", c_uint64), ("agent_id", c_char_p)]


homing = CDLL(os.environ.get("LIBHOMING", "libhoming.so"))
out = POINTER(c_void_p)
for name, result, parameters in [
    ("settings_read", c_int32, [c_char_p, out, out]),
    ("settings_free", None, [c_void_p]),
    ("client_start", c_int32, [c_void_p, POINTER(Options), out, out]),
    ("client_next_event", c_int32, [c_void_p, c_uint32, out]),
    ("client_stop", c_int32, [c_void_p, c_uint32]),
    ("client_free", None, [c_void_p]),
    ("event_json", Text, [c_void_p]),
    ("event_free", None, [c_void_p]),
    ("error_message", Text, [c_void_p]),
]:
    function = getattr(homing, f"homing_{name}")
    function.restype, function.argtypes = result, parameters


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    settings, client, event, error = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    if homing.homing_settings_read(sys.argv[1].encode(), byref(settings), byref(error)) != OK:
        sys.exit(f"agent: {homing.homing_error_message(error)}")
    options = Options(sizeof(Options), sys.argv[2].encode())
    if homing.homing_client_start(settings, byref(options), byref(client), byref(error)) != OK:
        sys.exit(f"agent: {homing.homing_error_message(error)}")
    homing.homing_settings_free(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: homing.homing_client_stop(client, 2000))
    # Half a second, because Python runs signal handlers between calls only.
    while homing.homing_client_next_event(client, 500, byref(event)) != STOPPED:
        if event:
            print(homing.homing_event_json(event), flush=True)
            homing.homing_event_free(event)
    homing.homing_client_free(client)


if __name__ == "__main__":
    main()
