"""OpenID providers for the office: a real one and a rogue, both at id.office.example beyond the gate, over TLS with a CA of
their own."""
import json
import os
import pathlib
import subprocess

from lab import ROOT, Office

HOST = "id.office.example"
ISSUER = f"https://{HOST}"
OTHER_HOST = "sso.office.example"
SECRET = "a secret of the client"
ACCESS_TOKEN = "access-1"  # the rogue one's, as in rogue_provider.cjs
BEYOND = "198.51.100.3"


def certificate(office: Office) -> tuple[str, str, str]:
    """(CA, certificate, key): files in the office's folder."""
    folder = office.folder / "provider"
    folder.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    (folder / "leaf.ext").write_text(f"subjectAltName=DNS:{HOST},DNS:{OTHER_HOST}\n")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj",
            "/CN=provider CA", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={HOST}")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            "leaf.ext", "-out", "leaf.pem")
    return tuple(str(folder / name) for name in ("ca.pem", "leaf.pem", "leaf.key"))


class Provider:
    """A provider's process."""

    def __init__(self, office: Office, script: str, files: tuple[str, str, str], address: str, issuer: str = ISSUER):
        self.office, self.script, self.files, self.address, self.issuer = office, script, files, address, issuer
        self.process = None
        office.at_end(self.kill)
        self.start()

    def start(self) -> None:
        here = pathlib.Path(__file__).parent / "node" / self.script
        self.process = subprocess.Popen(
            self.office.server_ns.argv("env", f"NODE_EXTRA_CA_CERTS={self.office.folder}/portal-ca.pem", "NODE_NO_WARNINGS=1",
                                       "node", str(here), self.issuer, self.address, *self.files[1:],
                                       f"https://{self.office.PORTAL}"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while (line := self.process.stdout.readline()) != '"ready"\n':
            assert line, "the provider did not start"

    def order(self, line: str):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def tell(self, **what):
        return self.order(json.dumps(what))

    def kill(self) -> None:
        if self.process is None:
            return
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None


def beyond(office: Office) -> str:
    """An address that is not of a network of one's own, on the same server."""
    office.server_ns.ip(f"addr add {BEYOND}/32 dev eth0")
    office.gate_ns.ip(f"route add {BEYOND}/32 via {office.NEWS[4]}")
    return BEYOND


def names(office: Office, address: str) -> None:
    for ns in (office.gate_ns, office.alice.ns, office.bob.ns, office.server_ns):
        ns.hosts({office.PORTAL: office.GATE[4], HOST: address, OTHER_HOST: BEYOND})
    # Whoever asks for an IPv6 address too is told at once that there is no resolver.
    office.server_ns.resolver("127.0.0.1")


def install_node() -> None:
    """What tests/web/run installs too."""
    if not (ROOT / "tests/web/node_modules/oidc-provider").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=ROOT / "tests/web", check=True, timeout=300,
                       env={**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}, stdout=subprocess.DEVNULL)


def start(office: Office, script: str, *options: str, session: str = "1h", before=lambda office: None,
          address: str | None = None) -> Provider:
    """An office with the provider `corp`, once `before` has been called on its store."""
    address = address or office.NEWS[4]
    office.secrets |= {SECRET, ACCESS_TOKEN}
    names(office, address)
    files = certificate(office)
    office.init(session)
    office.cli("provider", "add", "corp", "--issuer", ISSUER, "--client-id", "gate", "--secret-file", "-", "--ca", files[0],
               *options, input=SECRET + "\n")
    before(office)
    office.serve()
    (office.folder / "portal-ca.pem").write_text(office.ca())
    return Provider(office, script, files, address)
