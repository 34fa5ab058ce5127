"""What each way to sign in opens: method by policy, by real sign-ins and real flows. Those of the portal alone are
tests/unit/web_methods_test.cc; those of machines test_service_tokens.py and test_certificates.py."""
import oidc
from client import THROUGH, Browser, form
from lab import until
from test_oidc_rogue import begin, come_back
from totp import code, secret_of

TABLE = {  # "through", or what the verdict is instead
    "nothing": ("sign_in", "sign_in", "deny", "deny"),
    "password": ("through", "step_up", "deny", "deny"),
    "password, then a code": ("through", "through", "deny", "deny"),
    "password, then a recovery code": ("through", "through", "deny", "deny"),
    "corp: pwd": ("through", "step_up", "deny", "deny"),
    "corp: pin sc": ("through", "through", "deny", "deny"),  # known, and had
    "corp: pwd pin": ("through", "step_up", "deny", "deny"),  # both known
    "corp: mfa": ("through", "through", "deny", "deny"),
    "corp: acr gold": ("through", "through", "deny", "deny"),
    "corp: acr tin": ("through", "step_up", "deny", "deny"),
    "corp: pwd, then a code": ("through", "through", "deny", "deny"),
    "corp: pwd, then corp: mfa": ("through", "through", "deny", "deny"),
}


def policies(office):
    """Four places of one server, and a policy of each kind."""
    office.cli("policy", "remove", "payroll")
    office.cli("policy", "add", "mfa", "--resource", "payroll", "--user", "alice", "--session", "1h", "--mfa", "10m")
    office.cli("device", "add", "nas", "--mac", "02:00:00:00:00:99")
    office.cli("resource", "add", "machines", "--to", f"{office.NEWS[4]}:{office.HTTP}/tcp")
    token = office.json("token", "add", "--device", "nas", "--resource", "machines")["name"]
    office.cli("policy", "add", "machines", "--resource", "machines", "--token", token)
    office.cli("resource", "add", "closed", "--to", f"{office.NEWS[4]}:{office.ECHO}/tcp")
    office.cli("policy", "add", "closed", "--resource", "closed", "--anyone", "--deny")


def test_what_each_method_opens(office):
    rogue = oidc.start(office, "rogue_provider.cjs", "--mfa-acr", "gold", before=policies)
    office.cli("provider", "link", "corp", "alice-1", "alice")
    secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    recovery = office.json("user", "factor", "alice", "--add", "recovery")["recovery_codes"]
    ahead = iter((0, 1))
    places = {"plain": (office.WIKI[4], office.HTTP), "mfa": (office.PAYROLL[4], office.ECHO),
              "machines": (office.NEWS[4], office.HTTP), "closed": (office.NEWS[4], office.ECHO)}

    def held() -> str:
        office.alice.try_tcp(*places["mfa"])
        (code,), = until(lambda: office.query("SELECT h.code FROM hold h JOIN resource r ON r.id = resource_id WHERE r.name = 'payroll'"))
        return f"/k/{code}"

    def do(browser: Browser, step: str, first: bool) -> None:
        if step == "password":
            assert browser.submit(browser.get("/"), "alice").status == 303
        elif step.startswith("corp"):
            sent = begin(office, browser, path="/" if first else held())
            said = step.removeprefix("corp: ")
            claims = {"acr": said.split()[1]} if said.startswith("acr") else {"amr": said.split()}
            rogue.tell(nonce=sent["nonce"], claims=claims)
            assert come_back(browser, state=sent["state"]).status == 200
        else:
            page = browser.get(held())
            typed = recovery.pop() if "recovery" in step else code(secret, next(ahead))
            assert browser.post("/step-up", {**form(page.body, "/step-up"), "code": typed}).status in (302, 303)

    def found() -> tuple:
        """Both what the gate does and what `explain` says."""
        cells = []
        for address, port in places.values():
            tried = office.alice.try_http(address) if port == office.HTTP else office.alice.try_tcp(address, port)
            open_now = tried == THROUGH
            verdict = office.explain(office.alice, address, port)["verdict"]
            assert open_now == (verdict == "allow"), (address, port, verdict)
            cells.append("through" if open_now else verdict)
        return tuple(cells)

    told = {}
    for row in TABLE:
        browser = Browser(office.alice)
        for number, step in enumerate(row.split(", then ") if row != "nothing" else ()):
            do(browser, step, number == 0)
        told[row] = found()
        office.cli("session", "end", "--all")
        until(lambda: office.alice.try_http(office.WIKI[4]) != THROUGH, 3, "signed out")
    assert told == TABLE
