"""What a laptop does: open flows, ask for pages, sign in. Everything returns plain values that a test can compare."""
import dataclasses
import html.parser
import http.client
import re
import socket
import ssl
import time
import urllib.parse

THROUGH, RESET, ALERT, CLOSED, SILENT = "through", "reset", "alert 49", "closed", "silent"
UNREACHABLE = "port unreachable"
CLIENT_HELLO = bytes.fromhex(
    "16030100a5010000a10303" + "11" * 32 + "20" + "22" * 32 + "00021301" + "0100" + "0056"
    "002b0003020304" "000d000400020403" "000a00040002001d"
    "003300260024001d0020" + "33" * 32 + "0000000f000d00000a7061792e746573742e78")
ACCESS_DENIED = bytes.fromhex("15030300020231")


@dataclasses.dataclass
class Reply:
    """An HTTP answer. `headers` has lower-case names; a header sent twice is joined by a newline."""
    status: int
    reason: str
    headers: dict
    body: str

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


def ask(sock: socket.socket, method: str, path: str, headers: dict, body: bytes = b"") -> Reply:
    """One request on a connected socket."""
    fields = {"Connection": "close", "User-Agent": "lab", **headers}
    if body or method == "POST":
        fields["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
    sock.sendall(head.encode() + body)
    return read_reply(sock, method)


def read_reply(sock: socket.socket, method: str = "GET") -> Reply:
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        name = name.lower()
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return Reply(response.status, response.reason, found, response.read().decode(errors="replace"))


class _Form(html.parser.HTMLParser):
    """The first form whose action is the one asked for: its inputs and their values."""

    def __init__(self, action: str):
        super().__init__()
        self.action, self.inside, self.fields = action, False, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.fields is None and attrs.get("action", "") == self.action:
            self.inside, self.fields = True, {}
        elif tag in ("input", "button") and self.inside and attrs.get("name"):
            self.fields[attrs["name"]] = attrs.get("value") or ""

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


def form(page: str, action: str) -> dict:
    parser = _Form(action)
    parser.feed(page)
    if parser.fields is None:
        raise AssertionError(f"no form with action {action} in:\n{page}")
    return parser.fields


class Laptop:
    """A machine on the LAN. `address` are its current addresses, by family 4 and 6."""

    def __init__(self, namespace, office, v4: str, v6: str):
        self.ns, self.office, self.address = namespace, office, {4: v4, 6: v6}

    # -- flows -------------------------------------------------------------------------------------------------
    def open(self, address: str, port: int, timeout: float = 5.0) -> socket.socket:
        return self.ns.connect(address, port, timeout)

    def try_tcp(self, address: str, port: int, first: bytes = b"hello\n", timeout: float = 5.0) -> str:
        """Connects, speaks first and says what came of it; an echo of what was sent means `through`."""
        try:
            with self.open(address, port, timeout) as sock:
                sock.sendall(first)
                got = b""
                while len(got) < len(first):
                    data = sock.recv(65536)
                    if not data:
                        break
                    got += data
        except (ConnectionResetError, ConnectionRefusedError, BrokenPipeError):
            return RESET
        except TimeoutError:
            return SILENT
        except OSError as error:  # an ICMP answer of some kind
            return f"unreachable ({error.strerror})"
        if got == first:
            return THROUGH
        return ALERT if got == ACCESS_DENIED else CLOSED if not got else f"answered {got[:80]!r}"

    def udp(self, address: str, port: int, timeout: float = 2.0) -> socket.socket:
        with self.ns.inside():
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(timeout)
        sock.connect((address, port))
        return sock

    def try_udp(self, address: str, port: int, data: bytes = b"hello", timeout: float = 2.0) -> str:
        with self.udp(address, port, timeout) as sock:
            return say(sock, data)

    def flow(self, address: str, port: int) -> "Flow":
        """A flow that was proved to be through."""
        sock = self.open(address, port)
        made = Flow(sock)
        made.ping()
        return made

    def get(self, address: str, port: int = 80, path: str = "/", accept: str = "*/*", timeout: float = 5.0) -> Reply:
        host = f"[{address}]" if ":" in address else address
        with self.open(address, port, timeout) as sock:
            return ask(sock, "GET", path, {"Host": host, "Accept": accept})

    def try_http(self, address: str, port: int = 80, timeout: float = 5.0) -> str:
        """`through`, `302`, `511`, or how the connection failed."""
        try:
            reply = self.get(address, port, timeout=timeout)
        except (ConnectionError, http.client.HTTPException):
            return RESET
        except TimeoutError:
            return SILENT
        return THROUGH if reply.status == 200 and "this is" in reply.body else str(reply.status)

    def curl(self, *arguments: str, check: bool = False):
        return self.ns.run("curl", "-sS", "-m", "15", *arguments, check=check)

    # -- addresses ---------------------------------------------------------------------------------------------
    @property
    def mac(self) -> str:
        out = self.ns.run("ip", "-o", "link", "show", "eth0").stdout
        return re.search(r"link/ether (\S+)", out).group(1)

    def move(self, v4: str | None, v6: str | None) -> None:
        """Gives up its addresses and takes these, as after a new DHCP lease and a new privacy address."""
        self.ns.ip("addr flush dev eth0 scope global")
        lines = []
        if v4:
            lines += [f"addr add {v4}/24 dev eth0", f"route add default via {self.office.GATE[4]}"]
        if v6:
            lines += [f"addr add {v6}/64 dev eth0 nodad", f"route replace default via {self.office.GATE[6]}"]
        self.ns.ip(*lines)
        self.address = {4: v4, 6: v6}
        if v4:  # what a DHCP client does when it takes an address
            self.announce(v4)

    def announce(self, v4: str) -> None:
        """A gratuitous ARP, so that the neighbours know whose address it is now."""
        with self.ns.inside():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        with raw:
            raw.bind(("eth0", 0x0806))
            mac, ip = bytes.fromhex(self.mac.replace(":", "")), socket.inet_aton(v4)
            for operation in (b"\0\1", b"\0\2"):
                raw.send(b"\xff" * 6 + mac + b"\x08\x06" + b"\0\1\x08\0\x06\x04" + operation + mac + ip
                         + b"\0" * 6 + ip)

    # -- signing in --------------------------------------------------------------------------------------------
    def browser(self) -> "Browser":
        return Browser(self)

    def sign_in(self, user: str, password: str | None = None, family: int = 4) -> "Browser":
        """Touches the wiki, follows it to the portal and signs in there; a laptop that the wiki lets in already goes to
        the portal by itself. Returns the browser, which stays signed in."""
        browser = self.browser()
        open_already = self.try_http(self.office.WIKI[family]) == THROUGH
        page = browser.get("/", family=family) if open_already else browser.follow_hold(family)
        reply = browser.submit(page, user, password)
        if reply.status not in (200, 302, 303):
            raise AssertionError(f"sign-in of {user} answered {reply.status}\n{reply.body}")
        return browser


def say(sock: socket.socket, data: bytes) -> str:
    """Sends a datagram to an echo server and says what came of it."""
    try:
        sock.send(data)
        got = sock.recv(1 << 16)
    except ConnectionRefusedError:
        return UNREACHABLE
    except TimeoutError:
        return SILENT
    return THROUGH if got == data else f"answered {len(got)} bytes"


class Flow:
    """A TCP connection to an echo server, with what became of it."""

    def __init__(self, sock: socket.socket):
        self.sock, self.ended_as = sock, None

    def ping(self, data: bytes = b"ping\n") -> None:
        self.sock.sendall(data)
        got = b""
        while len(got) < len(data):
            more = self.sock.recv(len(data) - len(got))
            if not more:
                raise ConnectionError("closed")
            got += more
        assert got == data, f"{got!r} is not an echo of {data!r}"

    def alive(self) -> bool:
        try:
            self.ping()
            return True
        except OSError:
            self.close()
            return False

    def wait_end(self, limit: float) -> float:
        """Waits until the other side ends the flow; returns the moment (time.time()) or fails after `limit` s."""
        self.sock.settimeout(limit)
        try:
            while self.sock.recv(65536):
                pass
            self.ended_as = CLOSED
        except ConnectionResetError:
            self.ended_as = RESET
        except TimeoutError:
            raise AssertionError(f"the flow was still open after {limit} s") from None
        moment = time.time()
        self.close()
        return moment

    def close(self) -> None:
        self.sock.close()


class Browser:
    """Keeps cookies and the office CA of one laptop, and talks to the portal."""

    def __init__(self, laptop: Laptop):
        self.laptop, self.office, self.cookies, self.code = laptop, laptop.office, {}, ""
        self.tls = ssl.create_default_context(cadata=self.office.ca())

    def request(self, method: str, path: str, headers: dict | None = None, body: bytes = b"", family: int = 4) -> Reply:
        fields = {"Host": self.office.PORTAL, "Accept": "text/html", **(headers or {})}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        with self.laptop.open(self.office.GATE[family], 443, 10) as plain:
            with self.tls.wrap_socket(plain, server_hostname=self.office.PORTAL) as sock:
                reply = ask(sock, method, path, fields, body)
        for line in reply.headers.get("set-cookie", "").splitlines():
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()
            if name.strip() == "__Host-nl" and len(value) > 20:
                self.office.secrets.add(value.strip())
            if not value or re.search(r"max-age=0\b", line, re.I):
                del self.cookies[name.strip()]
        return reply

    def get(self, path: str, **kwargs) -> Reply:
        return self.request("GET", path, **kwargs)

    def post(self, path: str, fields: dict, **kwargs) -> Reply:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{self.office.PORTAL}",
                   **kwargs.pop("headers", {})}
        return self.request("POST", path, headers=headers, body=urllib.parse.urlencode(fields).encode(), **kwargs)

    def follow_hold(self, family: int = 4) -> Reply:
        """Opens the protected wiki as a browser does and follows the redirect to the hold's page."""
        blocked = self.laptop.get(self.office.WIKI[family], accept="text/html,*/*")
        if blocked.status != 302:
            raise AssertionError(f"the wiki answered {blocked.status} {blocked.reason}, not a redirect\n{blocked.body}")
        found = re.fullmatch(rf"https://{re.escape(self.office.PORTAL)}(/k/([A-Z0-9]+))", blocked.location)
        if not found:
            raise AssertionError(f"the redirect goes to {blocked.location}")
        self.code = found.group(2)
        page = self.get(found.group(1), family=family)
        assert page.status == 200, f"{found.group(1)} answered {page.status}\n{page.body}"
        return page

    def submit(self, page: Reply, user: str, password: str | None = None, **changed) -> Reply:
        fields = form(page.body, "/sign-in")
        fields.update(name=user, password=password or self.office.PASSWORD[user], **changed)
        return self.post("/sign-in", fields)

    def press(self, action: str, page: Reply | None = None) -> Reply:
        """Presses the button of the form with this action on /me (or on the page given)."""
        page = page or self.get("/me")
        return self.post(action, form(page.body, action))

    def renew(self, user: str, password: str | None = None) -> Reply:
        """"Renew now" on /me, which asks for the password again: only a real sign-in makes a session younger."""
        reply = self.submit(self.press("/me/renew"), user, password)
        if reply.status not in (200, 302, 303):
            raise AssertionError(f"the renewal answered {reply.status}\n{reply.body}")
        return reply
