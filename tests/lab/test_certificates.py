"""Client certificates on the portal's mTLS listener, of our own device CA and of a given one, and how strongly each way of
proving ties a flow to its device, against what policies ask for.
Revocation lists are in test_certificate_lists.py."""
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import time

import pytest

from client import Laptop, RESET, THROUGH
from lab import until
from test_service_tokens import backup, by_proxy, enrol, machines

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
MTLS = 8444


def openssl(folder: pathlib.Path, *words: str, input: str = "") -> str:
    return subprocess.run(["openssl", *words], cwd=folder, input=input, check=True, capture_output=True, text=True).stdout


class GivenCa:
    """A CA that another department runs: issues, revokes, publishes its list. `above`: the CA that certifies it."""

    def __init__(self, folder: pathlib.Path, above: "GivenCa | None" = None):
        self.folder = folder
        folder.mkdir()
        (folder / "index.txt").write_text("")
        (folder / "config").write_text(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\n"
            "policy = p\ncopy_extensions = copy\ndefault_crl_days = 7\ncertificate = ca.pem\nprivate_key = ca.key\n"
            "default_days = 30\nunique_subject = no\nx509_extensions = client\n[p]\ncommonName = supplied\n"
            "[client]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = clientAuth\n"
            "[server]\nbasicConstraints = CA:FALSE\nextendedKeyUsage = serverAuth\n"
            "[below]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = keyCertSign,cRLSign\n")
        if above:
            certificate, key = above.issue("below", "-extensions", "below")
            shutil.copy(certificate, folder / "ca.pem")
            shutil.copy(key, folder / "ca.key")
        else:
            openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                    "-out", "ca.pem", "-subj", "/CN=Given CA", "-days", "30")
        self.list()

    def list(self, *more: str) -> None:
        openssl(self.folder, "ca", "-config", "config", "-gencrl", "-out", "crl.new", *more)
        (self.folder / "crl.new").rename(self.folder / "crl.pem")

    def issue(self, name: str, *more: str, san: str = "") -> tuple[str, str]:
        ext = ["-addext", f"subjectAltName=DNS:{san}"] if san else []
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}", *ext)
        openssl(self.folder, "ca", "-config", "config", "-batch", "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem", *more)
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")

    def revoke(self, name: str) -> None:
        openssl(self.folder, "ca", "-config", "config", "-revoke", f"{name}.pem")
        self.list()


def certified(office, *settings: tuple[str, str], device: tuple = (), enrol: str = "open"):
    office.cli("init", "--lan", "lan0", "--portal", office.PORTAL)
    for user, password in office.PASSWORD.items():
        office.cli("user", "add", user, "--password-file", "-", input=password + "\n")
    office.cli("set", "portal.mtls", f"{office.GATE[4]}:{MTLS}")
    office.cli("set", "enrol", enrol)
    for key, value in settings:
        office.cli("set", key, value)
    office.cli("resource", "add", "backup", "--to", f"{office.NEWS[4]}:{office.ECHO}/tcp")
    office.cli("resource", "add", "wiki", "--to", f"{office.WIKI[4]}:{office.HTTP}/tcp")
    office.cli("policy", "add", "wiki", "--resource", "wiki", "--anyone", "--binding", "certificate")
    office.cli("device", "add", "nas", *(device or ("--mac", office.bob.mac)))
    (office.folder / "out").mkdir()


def own(office, name: str = "nas") -> tuple[str, str]:
    issued = office.json("cert", "issue", "--device", name, "--out", str(office.folder / "out"))
    return issued["certificate"], issued["key"]


def show(office, laptop, pair: tuple[str, str] | None, *more: str) -> tuple[int, dict]:
    """POST /enrol with this certificate; (0, {}) when the handshake failed."""
    file = office.folder / "office-ca.pem"
    file.write_text(office.ca())
    words = ("--cert", pair[0], "--key", pair[1]) if pair else ()
    done = laptop.curl("--cacert", str(file), *words, "-X", "POST", "-w", "\n%{http_code}", *more,
                       f"https://{office.PORTAL}:{MTLS}/enrol")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else {}


def connected(office, laptop, pair: tuple[str, str]) -> ssl.SSLSocket:
    """A connection whose handshake is over, and that has asked for nothing yet."""
    (file := office.folder / "office-ca.pem").write_text(office.ca())
    context = ssl.create_default_context(cafile=str(file))
    context.load_cert_chain(*pair)
    return context.wrap_socket(laptop.open(office.GATE[4], MTLS), server_hostname=office.PORTAL)


def ask(connection: ssl.SSLSocket, office) -> int:
    with connection:
        connection.sendall(f"POST /enrol HTTP/1.1\r\nHost: {office.PORTAL}\r\nContent-Length: 0\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


def refused(office, reason: str) -> dict:
    return office.logged(lambda r: r["event"] == "proof.refused" and r["reason"] == reason)[-1]


def test_a_certificate_of_our_own(office):
    certified(office)
    pair = own(office)
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "nas-1", "--binding", "certificate",
               "--on-expiry", "keep=12h")
    office.serve()
    assert pathlib.Path(pair[1]).stat().st_mode & 0o777 == 0o600
    ca_key = office.store.parent / "tls" / "device-ca.key"
    assert ca_key.stat().st_mode & 0o777 == 0o600 and ca_key.stat().st_uid == 0
    assert backup(office, office.bob) == RESET
    assert show(office, office.bob, None) == (0, {})
    refused(office, "no_certificate")
    assert show(office, office.alice, pair)[0] == 403, "from another MAC"
    refused(office, "another_mac")
    status, said = show(office, office.bob, pair)
    assert (status, said["device"], said["machine"], said["state"]) == (200, "nas", "nas-1", "active")
    assert until(lambda: backup(office, office.bob) == THROUGH, 2)
    explained = office.explain(office.bob, office.NEWS[4], office.ECHO)
    assert (explained["machine"], explained["binding"]) == ("certificate nas-1", "certificate")
    # It ties a person's flows as strongly, and stands for none.
    assert office.bob.try_http(office.WIKI[4]) == "511"
    office.bob.sign_in("bob")
    until(lambda: office.bob.try_http(office.WIKI[4]) == THROUGH, 2)
    assert show(office, office.bob, pair, "-H", "Origin: https://evil.example")[0] == 403
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    office.cli("cert", "revoke", "nas-1")
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert backup(office, office.bob) == RESET and office.bob.try_http(office.WIKI[4]) != THROUGH
    assert show(office, office.bob, pair)[0] == 403
    refused(office, "certificate_revoked")
    listed = office.json("cert", "list")[0]
    assert (listed["state"], listed["ca"]) == ("revoked", "own")


def test_a_certificate_is_fresh_for_so_long(office):
    certified(office, ("cert.fresh", "3s"))
    pair = own(office)
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "nas-1", "--binding", "certificate")
    office.serve()
    assert show(office, office.bob, pair)[0] == 200
    shown = office.query("SELECT proven_ms FROM device_proof")[0][0] / 1000
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    assert -0.05 <= flow.wait_end(8) - (shown + 3) <= 1.0 + SLACK
    assert office.explain(office.bob, office.NEWS[4], office.ECHO)["reason"] == "binding_too_weak"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_session_is_resumed(office, version):
    certified(office)
    pair = own(office)
    office.serve()
    (office.folder / "office-ca.pem").write_text(office.ca())
    request = f"POST /enrol HTTP/1.1\r\nHost: {office.PORTAL}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def client(port: int, *more: str, at_most: str = version) -> str:
        return office.bob.ns.run("openssl", "s_client", "-connect", f"{office.GATE[4]}:{port}", "-servername", office.PORTAL,
                                 at_most, "-CAfile", str(office.folder / "office-ca.pem"), "-ign_eof", *more, input=request,
                                 check=False).stdout
    with_pair = ("-cert", pair[0], "-key", pair[1])
    kept, of_the_other = office.folder / "session", office.folder / "other"
    # This client keeps what it is given, and offers it: at the portal's other port, where nobody needs a certificate, it is
    # taken.
    assert "New, TLSv1" in client(443, "-sess_out", str(of_the_other))
    assert "Reused, TLSv1" in client(443, "-sess_in", str(of_the_other))
    # Here it is given nothing that it could offer.
    first = client(MTLS, *with_pair, "-sess_out", str(kept))
    assert "New, TLSv1" in first and '"device":"nas"' in first.replace(" ", ""), first[-800:]
    assert "TLS session ticket:" not in first and not kept.exists(), "neither a ticket nor a session's number"
    # And what it was given there is of no use here, neither with the certificate nor without.
    again = client(MTLS, *with_pair, "-sess_in", str(of_the_other))
    assert "New, TLSv1" in again and '"device":"nas"' in again.replace(" ", ""), again[-800:]
    bare = client(MTLS, "-sess_in", str(of_the_other))
    assert "200 OK" not in bare and "Reused" not in bare, bare[-800:]
    assert "New, (NONE)" in client(MTLS, *with_pair, at_most="-tls1_1")


def test_a_given_ca_good_expired_foreign_and_revoked(office):
    given, foreign = GivenCa(office.folder / "given"), GivenCa(office.folder / "foreign")
    certified(office, ("mtls.ca", str(given.folder / "ca.pem")), ("mtls.crl", str(given.folder / "crl.pem")))
    office.cli("cert", "accept", "nas.lan", "--device", "nas")
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "nas.lan", "--on-expiry", "keep=12h")
    for file in given.folder.iterdir():
        file.chmod(0o644)
    gate = office.serve()
    good = given.issue("whatever", san="nas.lan")
    assert show(office, office.bob, good)[1].get("device") == "nas"
    assert until(lambda: backup(office, office.bob) == THROUGH, 2)
    old = given.issue("old.lan", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    server = given.issue("server.lan", "-extensions", "server")
    for pair, reason in ((old, "certificate_expired"), (foreign.issue("nas.lan"), "certificate_untrusted"),
                         (server, "certificate_not_for_clients")):
        assert show(office, office.bob, pair)[0] == 0
        refused(office, reason)
    # Another device, seen for the first time: the CA's word enrols it, as the setting says.
    status, said = show(office, office.alice, given.issue("alice-pc.lan"))
    assert (status, said["device"], said["state"]) == (200, "alice-pc.lan", "active")
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    start = len(gate.lines)
    given.revoke("whatever")
    published = time.time()
    (given.folder / "crl.pem").chmod(0o644)
    ended = flow.wait_end(10)
    gate.wait_line("the files were read again", start=start)
    row = office.logged(lambda r: r["event"] == "proof.end")[0]
    assert (row["device"], row["reason"]) == ("nas", "certificate_revoked")
    assert ended - published <= 1.0 + 1.0 + SLACK, "looked at every second, and then within one"
    assert show(office, office.bob, good)[0] == 0
    refused(office, "certificate_revoked")
    assert backup(office, office.bob) == RESET
    until(lambda: show(office, office.bob, given.issue("renewed", san="nas.lan"))[0] == 200, 5, "a renewed one")


def test_two_hundred_wrong_certificates(office):
    given, foreign = GivenCa(office.folder / "given"), GivenCa(office.folder / "foreign")
    certified(office, ("mtls.ca", str(given.folder / "ca.pem")), ("mtls.crl", str(given.folder / "crl.pem")))
    office.cli("cert", "accept", "nas.lan", "--device", "nas")
    for file in given.folder.iterdir():
        file.chmod(0o644)
    office.serve()
    good, wrong = given.issue("nas", san="nas.lan"), foreign.issue("nas.lan")
    (ca := office.folder / "office-ca.pem").write_text(office.ca())
    (config := office.folder / "many").write_text("next\n".join(
        f'url = "https://{office.PORTAL}:{MTLS}/enrol"\ncacert = "{ca}"\ncert = "{wrong[0]}"\nkey = "{wrong[1]}"\nsilent\n'
        f'request = POST\noutput = /dev/null\nwrite-out = "%{{http_code}} "\n' for _ in range(200)))
    codes = office.alice.ns.run("curl", "-K", str(config), check=False).stdout.split()
    assert codes == ["000"] * 200, "no handshake is ever done"
    refused(office, "certificate_untrusted")
    assert len(office.logged(lambda r: r["event"] == "proof.throttled")) == 1
    assert show(office, office.alice, given.issue("alice-pc.lan"))[0] == 429, "a good one has to wait there"
    assert show(office, office.bob, good)[0] == 200, "and not elsewhere"
    rows = [r["event"] for r in office.log() if r["event"].startswith("proof.")]
    assert rows.count("proof.refused") == 5 and rows.count("proof.throttled") == 1, rows


@pytest.mark.parametrize("setting", ["open", "approve", "closed"])
def test_what_a_given_cas_certificate_enrols(office, setting):
    given = GivenCa(office.folder / "given")
    certified(office, ("mtls.ca", str(given.folder / "ca.pem")), enrol=setting, device=("--mac", "02:00:00:00:77:77"))
    office.serve()
    status, said = show(office, office.bob, given.issue("printer.lan"))
    if setting == "closed":
        assert status == 403
        refused(office, "not_enrolled")
        assert len(office.json("device", "list")) == 1
        return
    assert (status, said["state"]) == (200, "active" if setting == "open" else "pending")
    device = office.json("device", "show", "printer.lan")
    assert (device["mac"], device["state"]) == (office.bob.mac, said["state"])
    assert [c["name"] for c in office.json("cert", "list")] == ["printer.lan"]
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "printer.lan")
    if setting == "approve":
        assert backup(office, office.bob) == RESET
        office.cli("device", "approve", "printer.lan")
    until(lambda: backup(office, office.bob) == THROUGH, 2)


@pytest.mark.parametrize("setting", ["open", "approve", "closed"])
def test_what_our_own_certificate_gives_a_device_without_a_place(office, setting):
    certified(office, enrol=setting, device=("--unseen",))
    pair = own(office)
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "nas-1", "--binding", "certificate")
    office.serve()

    def device() -> tuple:
        shown = office.json("device", "show", "nas")
        return shown["mac"], shown["state"]
    assert device() == (None, "active")
    status, said = show(office, office.bob, pair)
    if setting == "closed":
        assert status == 403 and device() == (None, "active")
        refused(office, "not_enrolled")
        assert office.query("SELECT count(*) FROM device_proof") == [(0,)] and backup(office, office.bob) == RESET
        return
    assert (status, said["device"], said["state"]) == (200, "nas", "active" if setting == "open" else "pending")
    assert device() == (office.bob.mac, said["state"])
    assert [r["device"] for r in office.logged(lambda r: r["event"] == "device.enrolled")] == ["nas"]
    if setting == "approve":
        assert backup(office, office.bob) == RESET
        assert office.explain(office.bob, office.NEWS[4], office.ECHO)["reason"] == "device_pending"
        office.cli("device", "approve", "nas")
    until(lambda: backup(office, office.bob) == THROUGH, 2)
    assert show(office, office.alice, pair)[0] == 403, "it has a place now"
    refused(office, "another_mac")


def test_settings_that_cannot_be_are_told(office):
    certified(office, ("mtls.crl", "/nowhere/crl.pem"))
    said = office.cli("serve", "--role", "portal", expect=5).stderr
    assert "mtls.crl" in said and "mtls.ca" in said


# -- binding x policy --------------------------------------------------------------------------------------------------

STRENGTHS = ["address", "mac", "credential", "certificate"]


def branch(office) -> Laptop:
    """A machine behind a router (bob's laptop): the gate knows it by its address alone."""
    ns = office._namespace("branch-pc")
    office.bob.ns.ip(f"link add far0 type veth peer name eth0 netns {ns.name}", "addr add 10.66.0.1/24 dev far0",
                     "link set far0 up")
    office.bob.ns.sysctl("net.ipv4.ip_forward", 1)
    ns.ip("addr add 10.66.0.7/24 dev eth0", "link set eth0 up", "route add default via 10.66.0.1")
    office.gate_ns.ip(f"route add 10.66.0.0/24 via {office.bob.address[4]}")
    ns.hosts({office.PORTAL: office.GATE[4]})
    return Laptop(ns, office, "10.66.0.7", "fd66::7")


def table(office, passes, *who: str) -> dict[str, bool]:
    """For each minimum that a policy for `who` may ask for: whether the flow gets through."""
    found = {}
    for minimum in STRENGTHS:
        office.cli("policy", "add", "table", "--resource", "backup", "--binding", minimum, *who)
        time.sleep(0.3)  # the next flow sees the store as it is; a flow that is refused is no proof of that
        found[minimum] = passes()
        office.cli("policy", "remove", "table")
    return found


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_binding_of_a_persons_flow_against_each_policy(office, strength):
    machines(office)
    office.cli("policy", "remove", "backup")
    office.cli("set", "portal.mtls", f"{office.GATE[4]}:{MTLS}")
    laptop = branch(office) if strength == "address" else office.alice
    laptop.sign_in("alice")
    passes = lambda: laptop.try_http(office.NEWS[4]) == THROUGH
    if strength == "credential":
        secret = office.json("token", "add", "--user", "alice")["secret"]
        passes = lambda: by_proxy(office, laptop, "socks", f"alice:{secret}", office.NEWS[4]) == 200
    if strength == "certificate":
        device = next(d["name"] for d in office.json("device", "list") if d["owner"] == "alice")
        (office.folder / "out").mkdir()
        pair = own(office, device)
        until(lambda: show(office, laptop, pair)[0] == 200, 25, "the portal has started afresh")
    wanted = {minimum: STRENGTHS.index(minimum) <= STRENGTHS.index(strength) for minimum in STRENGTHS}
    assert table(office, passes, "--user", "alice") == wanted


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_binding_of_a_machines_flow_against_each_policy(office, strength):
    place = ("--address", "10.66.0.7") if strength == "address" else ()
    secret = machines(office, "open", *place)
    office.cli("policy", "remove", "backup")
    office.cli("set", "portal.mtls", f"{office.GATE[4]}:{MTLS}")
    laptop = branch(office) if strength == "address" else office.bob
    who = ["--token", "nas-1"]
    passes = lambda: laptop.try_http(office.NEWS[4]) == THROUGH
    if strength == "credential":
        passes = lambda: by_proxy(office, laptop, "socks", f"nas:{secret}", office.NEWS[4]) == 200
    elif strength == "certificate":
        (office.folder / "out").mkdir()
        pair = own(office)
        who = ["--cert", "nas-1"]
        until(lambda: show(office, laptop, pair)[0] == 200, 25, "the portal has started afresh")
    else:
        assert enrol(office, laptop, secret)[0] == 200
    wanted = {minimum: STRENGTHS.index(minimum) <= STRENGTHS.index(strength) for minimum in STRENGTHS}
    assert table(office, passes, *who) == wanted
    wrong = table(office, passes, "--anyone")
    assert not any(wrong.values()), "a machine is never let in as a person"
