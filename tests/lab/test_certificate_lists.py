"""Revocation lists of a given CA: in connections that are older, of each CA on the way, and lists that say nothing."""
import pathlib
import shutil

from client import RESET
from lab import until
from test_certificates import GivenCa, ask, certified, connected, refused, show
from test_service_tokens import backup


def test_a_list_counts_in_connections_that_are_older(office):
    given = GivenCa(office.folder / "given")
    crl = given.folder / "crl.pem"
    certified(office, ("mtls.ca", str(given.folder / "ca.pem")), ("mtls.crl", str(crl)))
    office.cli("cert", "accept", "nas.lan", "--device", "nas")
    for file in given.folder.iterdir():
        file.chmod(0o644)
    office.serve()
    good, renewed = given.issue("whatever", san="nas.lan"), given.issue("renewed", san="nas.lan")
    early = connected(office, office.bob, good), connected(office, office.bob, renewed)
    given.revoke("whatever")
    crl.chmod(0o644)
    assert ask(early[0], office) == 403
    refused(office, "certificate_revoked")
    assert ask(early[1], office) == 200
    late = connected(office, office.bob, renewed)
    crl.write_text(crl.read_text() + crl.read_text()[:200] + "\n-----END X509 CRL-----\n")
    assert ask(late, office) == 503, "whom the damaged part names is not known"


def test_each_ca_on_the_way_has_a_list(office):
    above = GivenCa(office.folder / "above")
    below = GivenCa(office.folder / "below", above)
    certificate, key = below.issue("nas.lan")
    (chain := office.folder / "chain.pem").write_text(pathlib.Path(certificate).read_text() + (below.folder / "ca.pem").read_text())
    lists, pair = office.folder / "lists.pem", (str(chain), key)

    def publish(*cas: GivenCa) -> None:
        start = len(gate.lines)
        lists.write_text("".join((ca.folder / "crl.pem").read_text() for ca in cas))
        gate.wait_line("the files were read again", start=start)
    shutil.copy(above.folder / "ca.pem", office.folder / "root.pem")
    shutil.copy(below.folder / "crl.pem", lists)
    certified(office, ("mtls.ca", str(office.folder / "root.pem")), ("mtls.crl", str(lists)))
    office.cli("cert", "accept", "nas.lan", "--device", "nas")
    office.cli("policy", "add", "backup", "--resource", "backup", "--cert", "nas.lan", "--binding", "certificate")
    gate = office.serve()
    assert show(office, office.bob, pair)[0] == 0, "the list of the CA above is missing"
    publish(above, below)
    assert show(office, office.bob, pair)[0] == 200
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    waiting = connected(office, office.bob, pair)
    above.revoke("below")  # who issued it, and by that all that they have issued
    publish(above, below)
    flow.wait_end(5)
    assert ask(waiting, office) == 403, "a connection from before proves nothing any more"
    assert show(office, office.bob, pair)[0] == 0
    assert backup(office, office.bob) == RESET
    row = office.logged(lambda r: r["event"] == "proof.end")[0]
    assert (row["device"], row["reason"]) == ("nas", "certificate_revoked")
    assert [r["reason"] for r in office.logged(lambda r: r["event"] == "proof.refused")] == [
        "no_revocation_list", "certificate_revoked", "certificate_revoked"]


def test_a_list_that_says_nothing_refuses_everybody(office):
    given, namesake = GivenCa(office.folder / "given"), GivenCa(office.folder / "namesake")
    crl = office.folder / "crl.pem"
    shutil.copy(given.folder / "ca.pem", office.folder / "ca.pem")
    shutil.copy(given.folder / "crl.pem", crl)
    certified(office, ("mtls.ca", str(office.folder / "ca.pem")), ("mtls.crl", str(crl)))
    office.cli("cert", "accept", "nas.lan", "--device", "nas")
    gate = office.serve()
    known, new = given.issue("nas.lan"), given.issue("alice-pc.lan")

    def publish(ca: GivenCa, *more: str) -> None:
        ca.list(*more)
        start = len(gate.lines)
        shutil.copy(ca.folder / "crl.pem", crl)
        gate.wait_line("the files were read again", start=start)
    assert show(office, office.bob, known)[0] == 200
    lists = {"out of date": (given, "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"),
             "of days to come": (given, "-crl_lastupdate", "20900101000000Z", "-crl_nextupdate", "20900201000000Z"),
             "of the same name, by another key": (namesake,)}
    for number, (which, (ca, *when)) in enumerate(lists.items(), 1):
        publish(ca, *when)
        assert (show(office, office.bob, known), show(office, office.alice, new)) == ((0, {}), (0, {})), which
        until(lambda number=number: [r["reason"] for r in office.log() if r["event"] == "proof.refused"]
              == ["no_revocation_list"] * 2 * number, 5, which)
    assert [d["name"] for d in office.json("device", "list")] == ["nas"]
    publish(given)
    assert show(office, office.bob, known)[0] == show(office, office.alice, new)[0] == 200
