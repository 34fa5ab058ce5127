"""What each way in which a machine proves itself opens, alone and beside a person: method by policy, by real proofs and real
flows on bob's laptop, which is the machine `nas`. What persons alone open is test_methods.py."""
from client import THROUGH
from lab import until
from test_certificates import MTLS, show
from test_methods import for_machines, row_of
from test_service_tokens import enrol

TABLE = {  # in the order of test_methods.COLUMNS
    "nothing": ("sign_in", "sign_in", "sign_in", "deny", "deny", "deny"),
    "token": ("sign_in", "sign_in", "sign_in", "through", "deny", "deny"),
    "certificate": ("sign_in", "sign_in", "sign_in", "deny", "through", "deny"),
    "token, then certificate": ("sign_in", "sign_in", "sign_in", "through", "through", "deny"),
    # In the connection itself: the flow is the machine's, and it counts alone.
    "sent token": ("deny", "deny", "deny", "through", "deny", "deny"),
    "certificate, then sent token": ("deny", "deny", "deny", "through", "deny", "deny"),
    # Who signs in there gets what is a person's, and the machine what is its own.
    "password": ("through", "through", "step_up", "deny", "deny", "deny"),
    "token, then password": ("through", "through", "step_up", "through", "deny", "deny"),
    "certificate, then password": ("through", "through", "step_up", "deny", "through", "deny"),
    "password, then sent token": ("deny", "deny", "deny", "through", "deny", "deny"),
    # Beside a person's token what the machine has proven does not count.
    "token, then certificate, then password, then bob's token": ("through", "through", "step_up", "deny", "deny", "deny"),
}


def test_what_each_proof_opens(office):
    office.init()
    office.cli("policy", "remove", "payroll")
    office.cli("policy", "add", "mfa", "--resource", "payroll", "--anyone", "--session", "1h", "--mfa", "10m")
    office.cli("set", "portal.mtls", f"{office.GATE[4]}:{MTLS}")
    office.cli("device", "add", "nas", "--mac", office.bob.mac)
    secret, issued = for_machines(office)
    bobs = office.json("token", "add", "--user", "bob")["secret"]
    office.serve().wait_line("the SOCKS proxy listens at")
    pair = issued["certificate"], issued["key"]
    carry = {"sent token": (("nas", secret), ("--token", "nas-1")), "bob's token": (("bob", bobs), ("--credential", "bob"))}

    def do(step: str) -> None:
        if step == "token":
            assert enrol(office, office.bob, secret)[0] == 200
        elif step == "certificate":
            assert show(office, office.bob, pair)[0] == 200
        else:
            office.bob.sign_in("bob")

    told = {}
    for row in TABLE:
        steps = row.split(", then ") if row != "nothing" else []
        sent, as_told = carry[steps.pop()] if steps and steps[-1] in carry else (None, ())
        for step in steps:
            do(step)
        told[row] = row_of(office, office.bob, sent, as_told)
        office.cli("session", "end", "--all")
        until(lambda: office.bob.try_http(office.WIKI[4]) != THROUGH, 3, "nothing is proven any more")
    assert told == TABLE
    assert office.alice.try_http(office.NEWS[4]) != THROUGH, "and never another machine"
