#!/usr/bin/env python3
"""An agent on the managed client, from a language that can call C: prints what happens until Ctrl+C.

    agent.py SETTINGS.json AGENT-ID        (LIBHOMING says where libhoming.so is, if the system does not know)
"""
import ctypes as c
import os
import sys

OK, STOPPED = 0, -14


class Text(c.Structure):
    _fields_ = [("data", c.c_void_p), ("len", c.c_size_t)]

    def __str__(self):
        return c.string_at(self.data, self.len).decode() if self.data else ""


class Options(c.Structure):
    # The first members are enough: the library takes the others as not set.
    _fields_ = [("struct_size", c.c_size_t), ("agent_id", c.c_char_p)]


homing = c.CDLL(os.environ.get("LIBHOMING", "libhoming.so"))
homing.homing_error_message.restype = Text
homing.homing_event_json.restype = Text
homing.homing_client_free.restype = None


def check(status, error=None):
    if status != OK:
        sys.exit(f"agent: {homing.homing_error_message(error)}" if error else f"agent: status {status}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    settings, client, event, error = c.c_void_p(), c.c_void_p(), c.c_void_p(), c.c_void_p()
    check(homing.homing_settings_read(sys.argv[1].encode(), c.byref(settings), c.byref(error)), error)
    options = Options(c.sizeof(Options), sys.argv[2].encode())
    check(homing.homing_client_start(settings, c.byref(options), c.byref(client), c.byref(error)), error)
    homing.homing_settings_free(settings)
    stopping = False
    while True:
        try:
            status = homing.homing_client_next_event(client, 1000, c.byref(event))
            if status == STOPPED:
                break
            check(status)
            if event:
                print(homing.homing_event_json(event), flush=True)
                homing.homing_event_free(event)
        except KeyboardInterrupt:
            if stopping:
                break
            stopping = True
            check(homing.homing_client_stop(client, 2000))
    homing.homing_client_free(client)


if __name__ == "__main__":
    main()
