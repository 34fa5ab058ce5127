"""What each way to sign in opens: method by policy, by real sign-ins and real flows. What the portal makes of each is also
tests/unit/web_methods_test.cc; machines are in test_methods_machines.py."""
import json
import socket

import oidc
from client import RESET, THROUGH, Browser, Laptop, form
from lab import until
from passkey import PRESENT, Passkey
from test_login import answer
from test_oidc_rogue import begin, come_back
from totp import code, secret_of

SOCKS = 1080
WHILE = 120_000  # ms: longer than the burst of a policy that asks every time, and shorter than what the others ask for
COLUMNS = ("plain", "every", "mfa", "token", "certificate", "closed")
TABLE = {  # in the order of COLUMNS: "through", or what the verdict is instead
    "nothing": ("sign_in", "sign_in", "sign_in", "deny", "deny", "deny"),
    "password": ("through", "through", "step_up", "deny", "deny", "deny"),
    "password, then a code": ("through", "through", "through", "deny", "deny", "deny"),
    "password, then a recovery code": ("through", "through", "through", "deny", "deny", "deny"),
    "a passkey": ("through", "through", "through", "deny", "deny", "deny"),
    "an unverified passkey": ("sign_in", "sign_in", "sign_in", "deny", "deny", "deny"),  # whoever holds it
    "password, then a passkey": ("through", "through", "through", "deny", "deny", "deny"),
    "password, then an unverified passkey": ("through", "through", "through", "deny", "deny", "deny"),  # known, and had
    "corp: pwd": ("through", "through", "step_up", "deny", "deny", "deny"),
    "corp: pin sc": ("through", "through", "through", "deny", "deny", "deny"),  # known, and had
    "corp: pwd pin": ("through", "through", "step_up", "deny", "deny", "deny"),  # both known
    "corp: mfa": ("through", "through", "through", "deny", "deny", "deny"),
    "corp: acr gold": ("through", "through", "through", "deny", "deny", "deny"),
    "corp: acr tin": ("through", "through", "step_up", "deny", "deny", "deny"),
    "corp: pwd, then a code": ("through", "through", "through", "deny", "deny", "deny"),
    "corp: pwd, then corp: mfa": ("through", "through", "through", "deny", "deny", "deny"),
    "corp: pwd, then a passkey": ("through", "through", "through", "deny", "deny", "deny"),
    # Old enough for a policy that asks every time, which nothing but another sign-in opens.
    "password, then a while": ("through", "sign_in", "step_up", "deny", "deny", "deny"),
    "password, then a while, then a recovery code": ("through", "sign_in", "through", "deny", "deny", "deny"),
    "password, then a while, then alice's token": ("through", "sign_in", "step_up", "deny", "deny", "deny"),
    "a passkey, then a while": ("through", "sign_in", "through", "deny", "deny", "deny"),
    # Confirmed by alice on another laptop, who has shown this there.
    "elsewhere: password": ("through", "through", "step_up", "deny", "deny", "deny"),
    "elsewhere: password, then a recovery code": ("through", "through", "through", "deny", "deny", "deny"),
    "elsewhere: a passkey": ("through", "through", "through", "deny", "deny", "deny"),
    "elsewhere: corp: mfa": ("through", "through", "through", "deny", "deny", "deny"),
    "elsewhere: password, then a while": ("through", "sign_in", "step_up", "deny", "deny", "deny"),
    # Each connection carries a token: it says who, and nothing more.
    "alice's token": ("sign_in", "sign_in", "sign_in", "deny", "deny", "deny"),
    "password, then alice's token": ("through", "through", "step_up", "deny", "deny", "deny"),
    "password, then a recovery code, then alice's token": ("through", "through", "through", "deny", "deny", "deny"),
    "password, then bob's token": ("sign_in", "sign_in", "deny", "deny", "deny", "deny"),  # the payroll is not for him
}


def policies(office):
    """Six places, and a policy of each kind."""
    office.cli("policy", "remove", "payroll")
    office.cli("policy", "add", "mfa", "--resource", "payroll", "--user", "alice", "--session", "1h", "--mfa", "10m")
    office.cli("device", "add", "nas", "--mac", "02:00:00:00:00:99")
    for_machines(office)


def for_machines(office) -> tuple[str, dict]:
    """Places for the machine `nas`, for nobody and for anyone every time: the token's secret, and what the certificate came
    with."""
    office.cli("resource", "add", "by-token", "--to", f"{office.NEWS[4]}:{office.HTTP}/tcp")
    token = office.json("token", "add", "--device", "nas", "--resource", "by-token")
    office.cli("policy", "add", "by-token", "--resource", "by-token", "--token", token["name"])
    office.cli("resource", "add", "by-cert", "--to", f"[{office.NEWS[6]}]:{office.ECHO}/tcp")
    (office.folder / "out").mkdir()
    issued = office.json("cert", "issue", "--device", "nas", "--out", str(office.folder / "out"))
    office.cli("policy", "add", "by-cert", "--resource", "by-cert", "--cert", issued["name"])
    office.cli("resource", "add", "closed", "--to", f"{office.NEWS[4]}:{office.ECHO}/tcp")
    office.cli("policy", "add", "closed", "--resource", "closed", "--anyone", "--deny")
    office.cli("resource", "add", "every", "--to", f"[{office.NEWS[6]}]:{office.HTTP}/tcp")
    office.cli("policy", "add", "every", "--resource", "every", "--anyone", "--session", "0")
    office.cli("set", "socks.listen", "lan")
    return token["secret"], issued


def places(office) -> dict[str, tuple[str, int]]:
    return dict(zip(COLUMNS, ((office.WIKI[4], office.HTTP), (office.NEWS[6], office.HTTP), (office.PAYROLL[4], office.ECHO),
                              (office.NEWS[4], office.HTTP), (office.NEWS[6], office.ECHO), (office.NEWS[4], office.ECHO)),
                    strict=True))


def by_socks(office, laptop: Laptop, name: str, secret: str, address: str, port: int) -> str:
    """A flow that carries a credential: whether bytes come back through it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    words = [word.encode() for word in (name, secret)]
    try:
        with laptop.open(office.GATE[4], SOCKS) as sock, sock.makefile("rb") as answers:
            sock.sendall(b"\5\1\2\1" + b"".join(bytes([len(word)]) + word for word in words))
            assert answers.read(4) == b"\5\2\1\0", "a good credential"
            sock.sendall(b"\5\1\0" + (b"\4" if ":" in address else b"\1") + socket.inet_pton(family, address)
                         + port.to_bytes(2, "big"))
            head = answers.read(4)
            if head[1] != 0:
                return f"reply {head[1]}"
            answers.read({1: 4, 4: 16}[head[3]] + 2)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")  # who echoes does so, who serves pages does that
            return THROUGH if answers.read(1) else RESET
    except ConnectionResetError:
        return RESET


def row_of(office, laptop: Laptop, sent: tuple[str, str] | None = None, as_told: tuple = ()) -> tuple:
    """Both what the gate does and what `explain` says, in each column; `sent` is a credential that each connection carries."""
    cells = []
    for address, port in places(office).values():
        if sent:
            tried = by_socks(office, laptop, *sent, address, port)
        else:
            tried = laptop.try_http(address) if port == office.HTTP else laptop.try_tcp(address, port)
        verdict = office.explain(laptop, address, port, *as_told)["verdict"]
        assert (tried == THROUGH) == (verdict == "allow"), (address, port, tried, verdict)
        cells.append("through" if tried == THROUGH else verdict)
    return tuple(cells)


def test_what_each_method_opens(office):
    rogue = oidc.start(office, "rogue_provider.cjs", "--mfa-acr", "gold", before=policies)
    office.gate.wait_line("the SOCKS proxy listens at")
    office.cli("provider", "link", "corp", "alice-1", "alice")
    passkey = Passkey(office.folder, office.PORTAL)
    passkey.add(office.alice.sign_in("alice"))
    secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    recovery = office.json("user", "factor", "alice", "--add", "recovery")["recovery_codes"]
    tokens = {who: office.json("token", "add", "--user", who)["secret"] for who in ("alice", "bob")}
    ahead = iter((0, 1))

    def held() -> str:
        """The page of the flow that wants more than was shown here."""
        office.alice.try_tcp(*places(office)["mfa"])
        (name,), = until(lambda: office.query("SELECT h.code FROM hold h JOIN resource r ON r.id = resource_id "
                                              "WHERE r.name = 'payroll'"))
        return f"/k/{name}"

    def do(browser: Browser, step: str, first: bool, more: str) -> None:
        if step == "password":
            assert browser.submit(browser.get("/"), "alice").status == 303
        elif step == "a while":
            for table in ("presence", "browser"):
                office.execute(f"UPDATE {table} SET signed_in_ms = signed_in_ms - ?1, second_factor_ms = second_factor_ms - ?1", WHILE)
        elif step.startswith("corp"):
            sent = begin(office, browser, path="/" if first else more)
            said = step.removeprefix("corp: ")
            claims = {"acr": said.split()[1]} if said.startswith("acr") else {"amr": said.split()}
            rogue.tell(nonce=sent["nonce"], claims=claims)
            assert come_back(browser, state=sent["state"]).status == 200
        elif step.endswith("passkey"):
            flags = {"flags": PRESENT} if "unverified" in step else {}
            page, action = (browser.get("/"), "/sign-in/passkey") if first else (browser.get(more), "/step-up/passkey")
            reply = passkey.show(browser, page, action, **flags)
            assert reply.status == (403 if first and flags else 303), reply
        else:
            page = browser.get(more)
            typed = recovery.pop() if "recovery" in step else code(secret, next(ahead))
            assert browser.post("/step-up", {**form(page.body, "/step-up"), "code": typed}).status in (302, 303)

    def sign_out() -> None:
        office.cli("session", "end", "--all")
        until(lambda: office.alice.try_http(office.WIKI[4]) != THROUGH, 3, "signed out")
    sign_out()
    told = {}
    for row in TABLE:
        elsewhere = row.startswith("elsewhere: ")
        browser = Browser(office.bob if elsewhere else office.alice)
        steps = row.removeprefix("elsewhere: ").split(", then ") if row != "nothing" else []
        carried = steps.pop().removesuffix("'s token") if row.endswith("token") else None
        for number, step in enumerate(steps):
            do(browser, step, number == 0, "/step-up" if elsewhere or number == 0 else held())
        if elsewhere:
            confirm(office, browser)
        sent = (carried, tokens[carried]) if carried else None
        told[row] = row_of(office, office.alice, sent, ("--credential", carried) if carried else ())
        sign_out()
    assert told == TABLE


def confirm(office, browser: Browser) -> None:
    """Alice's laptop asks to be signed in, and this browser says yes."""
    asked = json.loads(office.alice.browser().post("/login/start", {}, headers={"Accept": "application/json"}).body)
    path = "/l/" + asked["user_code"].replace("-", "")
    assert "is signed in" in answer(browser, path, browser.get(path)).body
