"""What a workspace's user who has become root of their network could do, and how its arrival elsewhere is seen.

Run in a network namespace by `nsenter`. Frames carry a label, `<name of the frame>|`, so that whoever gets one can say which.

  frames.py connect            stdin: a JSON list of [address, port]; stdout: a JSON object "address port" -> open, refused or silent
  frames.py send INTERFACE     stdin: a JSON list of {"name", "mac", "source", "target", "port"}; sends each as UDP and TCP,
                               plainly and in a VLAN, to that MAC address
  frames.py watch MARK         stdout: "watching", then the name of every frame whose text begins with MARK, until one is named MARK + "end"
  frames.py requests END       stdout: "watching", then each HTTP request that arrives, as one line, until one for an address with END in it
  frames.py serve              listens at TCP port 80 of every address, takes connections and closes them; says "serving" when it does
"""

import ipaddress
import json
import re
import socket
import struct
import sys
import threading


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, target, port, protocol, payload):
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if protocol == socket.IPPROTO_UDP:
        segment = lambda check: struct.pack("!HHHH", 40000, port, 8 + len(payload), check) + payload
    else:
        segment = lambda check: struct.pack("!HHIIBBHHH", 40000, port, 1, 0, 5 << 4, 2, 65535, check, 0) + payload
    length = len(segment(0))
    if source.version == 4:
        pseudo = source.packed + target.packed + struct.pack("!BBH", 0, protocol, length)
        head = lambda check: struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, protocol, check) + source.packed + target.packed
        header = head(checksum(head(0)))
    else:
        pseudo = source.packed + target.packed + struct.pack("!IHBB", length, 0, 0, protocol)
        header = struct.pack("!IHBB", 6 << 28, length, protocol, 64) + source.packed + target.packed
    return header + segment(checksum(pseudo + segment(0)) or 0xFFFF)


def send(interface):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    own = raw.getsockname()[4]
    for frame in json.load(sys.stdin):
        kind = 0x0800 if ipaddress.ip_address(frame["target"]).version == 4 else 0x86DD
        for protocol, name in ((socket.IPPROTO_UDP, "udp"), (socket.IPPROTO_TCP, "tcp")):
            for vlan, way in ((b"", ""), (struct.pack("!HH", 0x8100, 1), " vlan")):
                label = f"{frame['name']} {name}{way}|".encode()
                body = packet(frame["source"], frame["target"], frame["port"], protocol, label)
                mac = bytes.fromhex(frame["mac"].replace(":", ""))
                raw.send(mac + own + vlan + struct.pack("!H", kind) + body)


def watch(mark):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    print("watching", flush=True)
    pattern = re.compile(re.escape(mark.encode()) + rb"[^|]*")
    while True:
        found = pattern.search(raw.recv(65535))
        if found:
            name = found.group().decode()
            print(name, flush=True)
            if name == mark + "end":
                return


def requests(end):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    print("watching", flush=True)
    while True:
        found = re.search(rb"(GET|POST) \S+ HTTP/1\.1\r\n.*?\r\n\r\n", raw.recv(65535), re.DOTALL)
        if found:
            text = found.group().decode()
            print(text.replace("\r\n", " / "), flush=True)
            if end in text.split(" ")[1]:
                return


def connect():
    found = {}

    def one(address, port):
        try:
            socket.create_connection((address, port), timeout=1.5).close()
            answer = "open"
        except ConnectionRefusedError:
            answer = "refused"
        except OSError:
            answer = "silent"
        found[f"{address} {port}"] = answer

    threads = [threading.Thread(target=one, args=target) for target in json.load(sys.stdin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(found))


def serve():
    listener = socket.create_server(("0.0.0.0", 80))
    print("serving", flush=True)
    while True:
        listener.accept()[0].close()


{"connect": connect, "send": send, "watch": watch, "requests": requests, "serve": serve}[sys.argv[1]](*sys.argv[2:])
