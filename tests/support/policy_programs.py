"""What pods of the policy labs run: servers, clients, resolvers, forgers; one text of Python each.

What lives here: programs. What it must not know: labs, policies, tests.
"""

SERVER = """
import selectors, socket
chosen = selectors.DefaultSelector()
for port in (80, 81):
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", port))
    chosen.register(tcp, selectors.EVENT_READ, "accept")
    chosen.register(udp, selectors.EVENT_READ, "datagram")
while True:
    for key, _ in chosen.select():
        if key.data == "accept":
            chosen.register(key.fileobj.accept()[0], selectors.EVENT_READ, "stream")
        elif key.data == "datagram":
            data, who = key.fileobj.recvfrom(100)
            key.fileobj.sendto(data, who)
        else:
            try:
                data = key.fileobj.recv(100)
            except OSError:
                data = b""
            if data:
                key.fileobj.send(data)
            else:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
"""
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    data, who = s.recvfrom(100)
    s.sendto(data, who)
"""
ASK = """
import socket, sys
kind, address, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(seconds)
try:
    s.connect((address, port))
    s.send(b"hello")
    print("yes" if s.recv(5) == b"hello" else "odd")
except TimeoutError:
    print("silence")
except OSError as error:
    print(error.strerror)
"""
TALK = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int((sys.argv[2:] or ["80"])[0])), timeout=2)
s.settimeout(0.5)
print("up", flush=True)
last = time.monotonic()
while time.monotonic() - last < 2.5:
    try:
        s.send(b"x")
        if s.recv(1) == b"x":
            last = time.monotonic()
    except TimeoutError:
        continue
    except OSError as error:
        print(error.strerror, flush=True)
        sys.exit(3)
    time.sleep(0.02)
print("cut", flush=True)
"""
KNOCK = """
import socket, sys, time
address, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
print("up", flush=True)
while time.monotonic() < until:
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(0.05)
    try:
        s.connect((address, 80))
        print("in", flush=True)
    except OSError:
        time.sleep(0.002)
    s.close()
"""
FORGE = """
import socket, struct, sys
source, goal = map(socket.inet_aton, sys.argv[1:3])
body = struct.pack("!HHHH", 1234, 80, 13, 0) + b"hello"
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, source, goal)
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(5):
    s.sendto(head + body, (sys.argv[2], 0))
"""
FORGE_FRAME = """
import json, socket, struct, subprocess, sys
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
source, goal = map(socket.inet_aton, sys.argv[2:4])
body = struct.pack("!HHHH", 1234, 80, 13, 0) + b"hello"
head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, source, goal))
total = sum(struct.unpack("!10H", head))
head[10:12] = struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
route = json.loads(subprocess.check_output(["ip", "-j", "route", "get", "203.0.113.1"]))[0]["gateway"]
subprocess.run(["ping", "-c1", "-W1", route], stdout=subprocess.DEVNULL)
entries = json.loads(subprocess.check_output(["ip", "-j", "neigh", "show", route]))
node = bytes.fromhex(entries[0]["lladdr"].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for _ in range(5):
    s.send(node + mac + b"\\x08\\x00" + bytes(head) + body)
"""
RESOLVER = """
import selectors, socket, struct, sys
goal, ttl, own = socket.inet_aton(sys.argv[1]), int(sys.argv[2]), (sys.argv[4], int(sys.argv[3]))
def answer(query, cut):
    end = 12
    while query[end]:
        end += 1 + query[end]
    flags, count = (0x8380, 0) if cut else (0x8180, 1)
    head = query[:2] + struct.pack("!5H", flags, 1, count, 0, 0) + query[12:end + 5]
    mine = 4 * ttl if query[12:].startswith(b"\\4long") else ttl
    return head + (b"" if cut else struct.pack("!HHHIH", 0xC00C, 1, 1, mine, 4) + goal)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(own)
tcp = socket.create_server(own)
chosen = selectors.DefaultSelector()
chosen.register(udp, selectors.EVENT_READ)
chosen.register(tcp, selectors.EVENT_READ)
print("up", flush=True)
while True:
    for key, _ in chosen.select():
        if key.fileobj is udp:
            query, who = udp.recvfrom(512)
            udp.sendto(answer(query, query[12:].lower().startswith(b"\\3cut")), who)
        else:
            with tcp.accept()[0] as one:
                said = answer(one.recv(514)[2:], False)
                one.sendall(struct.pack("!H", len(said)) + said)
"""
RESOLVE = """
import socket, struct, sys
server, name, kind = sys.argv[1:4]
asked = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + asked + bytes([0, 0, 1, 0, 1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.settimeout(2)
s.connect((server, 53))
s.send(query if kind == "udp" else struct.pack("!H", len(query)) + query)
said = s.recv(600)
print("cut" if kind == "udp" and said[2] & 2 else socket.inet_ntoa(said[-4:]))
"""
KEEP = """
import socket, struct, sys, time
asked = b"".join(bytes([len(each)]) + each.encode() for each in sys.argv[2].split("."))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
for number in range(60):
    query = struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + asked + bytes([0, 0, 1, 0, 1])
    s.sendto(query, (sys.argv[1], 53))
    s.recv(600)
    if not number:
        print("up", flush=True)
    time.sleep(1)
"""
FLOOD = """
import socket, struct, sys
server, count = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
got = 0
for number in range(count):
    name = f"n{number}"
    asked = bytes([len(name)]) + name.encode() + b"\\5flood\\7example\\0"
    s.sendto(struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + asked + bytes([0, 1, 0, 1]), (server, 53))
    try:
        got += bool(s.recv(600))
    except TimeoutError:
        pass
print(got)
"""
DUET = """
import socket, sys, time
own, peer = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else None
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", own))
s.settimeout(0.01)
if peer and ":" not in peer[0]:
    peer = ("::ffff:" + peer[0], peer[1])
last, said = 0.0, "silence"
print("up", flush=True)
while True:
    if peer:
        try:
            s.sendto(b"tune", peer)
        except OSError:
            pass
    try:
        _, peer = s.recvfrom(100)
        last = time.monotonic()
    except OSError:
        pass
    now = "heard" if time.monotonic() - last < 1.5 else "silence"
    if now != said:
        said = now
        print(said, flush=True)
"""
FALSE_ALARM = """
import socket, struct, sys
victim, far, near_port, far_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in victim else socket.AF_INET
source, goal = (socket.inet_pton(family, each) for each in (victim, far))
ports = struct.pack("!HHHH", near_port, far_port, 12, 0)
if family == socket.AF_INET:
    inner = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 1, 0, 60, 17, 0, source, goal)
    inner = inner[:10] + struct.pack("!H", ~sum(struct.unpack("!10H", inner)) % 0xFFFF) + inner[12:]
    data = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + inner + ports
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    data = data[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + data[4:]
    s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP)
else:
    inner = struct.pack("!IHBB", 6 << 28, 12, 17, 60) + source + goal
    data = struct.pack("!BBHI", 2, 0, 0, 1280) + inner + ports + b"tune"
    s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
for _ in range(5):
    s.sendto(data, (victim, 0))
"""
ALARMS = """
import socket, sys
family, source = (socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET), sys.argv[1]
s = socket.socket(family, socket.SOCK_RAW, 58 if family == socket.AF_INET6 else 1)
print("up", flush=True)
while True:
    data, who = s.recvfrom(2000)
    kind = data[0] if family == socket.AF_INET6 else data[20]
    if kind in ((1, 2) if family == socket.AF_INET6 else (3,)):
        print("alarm from", who[0], flush=True)
"""
LISTEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
print("up", flush=True)
while True:
    data = s.recv(2000)
    if data[9] == 17 and data[12:16] == socket.inet_aton(sys.argv[1]):
        print("forged", flush=True)
"""
