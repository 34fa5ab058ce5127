"""The office's servers, one process in the servers' namespace. It counts what arrives, by service and by peer: that
count is how a test proves that no byte of a refused flow ever came through.

Started as `servers.py NAME=KIND@ADDRESS,PORT ...`; KIND is http, echo, sink or uecho (UDP). Control: a line on stdin, a line of
JSON on stdout. `counts` gives {service: {peer: [connections or datagrams, bytes]}}; `open` gives the number of open connections;
`cut` resets every connection; `zero` clears the counts.
"""
import json
import os
import selectors
import socket
import struct
import sys

CHUNK = 1 << 18
HIGH = 1 << 20  # stop reading from a peer while this much waits to be echoed


class Connection:
    def __init__(self, service, sock, peer):
        self.service, self.sock, self.peer = service, sock, peer
        self.pending, self.ended, self.request = bytearray(), False, b""


class Servers:
    def __init__(self, specs):
        self.poll = selectors.DefaultSelector()
        self.counts, self.connections = {}, {}
        for spec in specs:
            name, rest = spec.split("=")
            kind, where = rest.split("@")
            address, port = where.rsplit(",", 1)
            self.counts.setdefault(name, {})
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == "uecho":
                self.listen_udp(name, family, address, int(port))
                continue
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, int(port)))
            listener.listen(4096)
            listener.setblocking(False)
            self.poll.register(listener, selectors.EVENT_READ, (name, kind))
        self.poll.register(0, selectors.EVENT_READ, None)

    def listen_udp(self, name, family, address, port):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind((address, port))
        sock.setblocking(False)
        self.poll.register(sock, selectors.EVENT_READ, (name, "uecho"))

    def run(self):
        print("ready", flush=True)
        while True:
            for key, events in self.poll.select():
                if key.data is None:
                    self.control()
                elif isinstance(key.data, tuple) and key.data[1] == "uecho":
                    self.echo(key.fileobj, key.data[0])
                elif isinstance(key.data, tuple):
                    self.accept(key.fileobj, *key.data)
                else:
                    self.serve(key.data, events)

    def control(self):
        line = os.read(0, 4096)
        if not line:
            sys.exit(0)
        for word in line.split():
            answer = None
            if word == b"counts":
                answer = self.counts
            elif word == b"open":
                answer = len(self.connections)
            elif word == b"zero":
                for peers in self.counts.values():
                    peers.clear()
            elif word == b"cut":
                for connection in list(self.connections.values()):
                    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.drop(connection)
            print(json.dumps(answer), flush=True)

    def echo(self, sock, name):
        for _ in range(256):
            try:
                data, peer = sock.recvfrom(1 << 16)
            except OSError:  # nothing waits, or a peer has gone
                return
            seen = self.counts[name].setdefault(peer[0], [0, 0])
            seen[0] += 1
            seen[1] += len(data)
            try:
                sock.sendto(data, peer)
            except OSError:
                pass

    def accept(self, listener, name, kind):
        for _ in range(64):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, OSError):
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection((name, kind), sock, peer[0])
            self.connections[sock.fileno()] = connection
            self.counts[name].setdefault(peer[0], [0, 0])[0] += 1
            self.poll.register(sock, selectors.EVENT_READ, connection)

    def serve(self, connection, events):
        name, kind = connection.service
        try:
            if events & selectors.EVENT_READ:
                data = connection.sock.recv(CHUNK)
                self.counts[name].setdefault(connection.peer, [0, 0])[1] += len(data)
                if not data:
                    connection.ended = True
                elif kind == "echo":
                    connection.pending += data
                elif kind == "http":
                    self.answer(connection, data)
            if connection.pending:
                sent = connection.sock.send(memoryview(connection.pending)[:CHUNK])
                del connection.pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.drop(connection)
            return
        if connection.ended and not connection.pending:
            self.drop(connection)
            return
        wanted = 0 if connection.ended or len(connection.pending) > HIGH else selectors.EVENT_READ
        if connection.pending:
            wanted |= selectors.EVENT_WRITE
        self.poll.modify(connection.sock, wanted, connection)

    def answer(self, connection, data):
        connection.request += data
        while b"\r\n\r\n" in connection.request:
            head, _, connection.request = connection.request.partition(b"\r\n\r\n")
            body = b"this is %s; you are %s\n" % (connection.service[0].encode(), connection.peer.encode())
            runs = head.startswith(b"GET /running ")  # the rest of that one never comes
            size = len(body) + (1 << 20 if runs else 0)
            connection.pending += (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
                                   % (size, body))
            if b"connection: close" in head.lower() and not runs:
                connection.ended = True

    def drop(self, connection):
        self.poll.unregister(connection.sock)
        self.connections.pop(connection.sock.fileno(), None)
        connection.sock.close()


if __name__ == "__main__":
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Servers(sys.argv[1:]).run()
