"""A cable between two network namespaces on which every packet is late.

late_cable.py NAMESPACE NAMESPACE SECONDS [NAME [tun|tap]]: makes the device `eth0`, or NAME, in each, prints `ready`, and
carries packets from one to the other until it is killed; the devices go with it. At most 4,096 packets are on their way.
"""

import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_TAP, IFF_NO_PI = 0x0001, 0x0002, 0x1000
MOST = 4096


def device(namespace, name, kind):
    """A TUN or TAP device inside the namespace; it stays there, and this process may go on to the next."""
    with open(f"/var/run/netns/{namespace}") as entrance:
        if ctypes.CDLL(None, use_errno=True).setns(entrance.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | IFF_NO_PI))
    return tun


def main():
    name = sys.argv[4] if len(sys.argv) > 4 else "eth0"
    kind = sys.argv[5] if len(sys.argv) > 5 else "tun"
    ends = [device(namespace, name, {"tun": IFF_TUN, "tap": IFF_TAP}[kind]) for namespace in sys.argv[1:3]]
    delay = float(sys.argv[3])
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    under_way = collections.deque()
    print("ready", flush=True)
    while True:
        timeout = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select(ends, [], [], timeout)
        now = time.monotonic()
        for end in readable:
            try:
                packet = os.read(end, 65536)
            except OSError:
                # The device is down for the moment.
                continue
            if len(under_way) < MOST:
                under_way.append((now + delay, other[end], packet))
        while under_way and under_way[0][0] <= now:
            _, end, packet = under_way.popleft()
            try:
                os.write(end, packet)
            except OSError:
                # Nobody takes it: it is lost, as on any cable.
                pass


main()
