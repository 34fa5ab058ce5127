"""A server of bulk data. It takes in all that a client sends until the client has no more to say; only then it answers: one
line of JSON that says what it got, and behind it as many bytes of its own. So an upload that loses its half-close gets
no answer at all.

What either side sends is known to both beforehand and differs by direction; nothing of it is ever held in memory.
Started as `bulk.py MEBIBYTES ADDRESS PORT`; every connection is a line of JSON on stdout when it is accepted and when
its upload has ended.
"""
import hashlib
import json
import socket
import sys
import threading

PIECE = 1 << 20


def pieces(direction: str, mebibytes: int):
    """The stream that is sent in this direction: each piece differs from all others, so that none can be lost, doubled
    or moved unseen. A piece is valid until the next is asked for."""
    buffer = bytearray(hashlib.shake_128(direction.encode()).digest(PIECE))
    for number in range(mebibytes):
        buffer[:8] = number.to_bytes(8, "big")
        yield memoryview(buffer)


def digest(direction: str, mebibytes: int) -> str:
    made = hashlib.sha256()
    for piece in pieces(direction, mebibytes):
        made.update(piece)
    return made.hexdigest()


def receive(sock: socket.socket) -> tuple[int, str]:
    """Reads to the end: how many bytes there were, and their SHA-256."""
    made, count, buffer = hashlib.sha256(), 0, memoryview(bytearray(PIECE))
    while got := sock.recv_into(buffer):
        made.update(buffer[:got])
        count += got
    return count, made.hexdigest()


def serve(sock: socket.socket, peer: str, mebibytes: int) -> None:
    with sock:
        print(json.dumps({"peer": peer}), flush=True)
        count, sha256 = receive(sock)
        told = json.dumps({"peer": peer, "bytes": count, "sha256": sha256})
        print(told, flush=True)
        sock.sendall(told.encode() + b"\n")
        for piece in pieces("down", mebibytes):
            sock.sendall(piece)


def main() -> None:
    mebibytes, address, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with socket.create_server((address, port)) as listener:
        while True:
            sock, peer = listener.accept()
            threading.Thread(target=serve, args=(sock, peer[0], mebibytes), daemon=True).start()


if __name__ == "__main__":
    main()
