"""Programs of pods and clients of services, for ``python -c``: who answers, and whom it saw.

What lives here: their texts; NAME in ``SERVE`` is to be replaced. What it must not know: labs, services.
"""

SERVE = """
import http.server, socket, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        seen = self.client_address[0].removeprefix("::ffff:")
        self.wfile.write(f"NAME {seen}".encode())
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
def echo():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("", 8080))
    while True:
        s.sendto(b"NAME", s.recvfrom(100)[1])
threading.Thread(target=echo, daemon=True).start()
Server(("", 8080), Answer).serve_forever()
"""
KEEP_ASKING = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
s.connect((sys.argv[1], 53))
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    try:
        s.send(b"who")
        print(s.recv(100).decode(), flush=True)
    except OSError:
        print("-", flush=True)
    time.sleep(0.1)
"""
ASK = "import sys, urllib.request as u; print(u.urlopen(f'http://{sys.argv[1]}/', timeout=2).read().decode())"
