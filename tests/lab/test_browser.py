"""A real Chromium by way of the proxies, on a laptop whose packets the gate does not see: what it is not sent to the proxies
for, it does not reach at all."""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from lab import ROOT, sleep_until

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
SESSION = 15  # seconds: long enough for a browser to sign in and look
DEAF = "ERR_SOCKS_CONNECTION_FAILED"  # all that Chromium says of a SOCKS proxy's refusal


def playwright() -> None:
    """What tests/web/run installs too."""
    if not (ROOT / "tests/web/node_modules/playwright-core").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=ROOT / "tests/web", check=True, timeout=300,
                       env={**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}, stdout=subprocess.DEVNULL)


def pin(certificate: str) -> str:
    """The hash of a certificate's key, as Chromium takes it."""
    key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate.encode(), capture_output=True,
                         check=True).stdout
    key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, check=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class Chromium:
    """A browser on a laptop, with the arguments given, which also trusts these certificates; see browser.mjs."""

    def __init__(self, laptop, *arguments: str, trusted: tuple[str, ...] = ()):
        playwright()
        office = laptop.office
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        assert chromium, "there is no chromium"
        pins = ",".join(pin(certificate) for certificate in (office.ca(), *trusted))
        self.process = subprocess.Popen(
            laptop.ns.argv("node", str(pathlib.Path(__file__).with_name("browser.mjs")), chromium,
                           f"--ignore-certificate-errors-spki-list={pins}", *arguments),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == '"ready"\n', "the browser did not start"

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()

    def do(self, **action) -> dict:
        self.process.stdin.write(json.dumps(action) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def open(self, url: str) -> dict:
        return self.do(open=url)

    def sign_in(self, office, user: str) -> dict:
        return self.do(sign_in={"Name": user, "Password": office.PASSWORD[user]})


@pytest.fixture
def aside(office):
    """The gate is not on alice's way: she has no route but to her own network."""
    names = {office.PORTAL: office.GATE[4], "wiki.lan": office.WIKI[4], "news.lan": office.NEWS[4]}
    office.gate_ns.hosts(names)
    office.alice.ns.hosts(names)
    office.alice.ns.ip(f"route del default via {office.GATE[4]}", f"route del default via {office.GATE[6]}")
    office.init(session=f"{SESSION}s")
    return office


def serve(office, *proxies: str) -> None:
    for setting in proxies:
        office.cli("set", setting, "lan")
    gate = office.serve()
    for setting in proxies:
        gate.wait_line(f"the {setting.split('.')[0].upper()} proxy listens at {office.GATE[4]}")


def pac(office) -> str:
    return f"--proxy-pac-url=http://{office.PORTAL}/proxy.pac"


def asks_for_a_sign_in(office, page: dict) -> None:
    assert page.get("url", "").startswith(f"https://{office.PORTAL}/k/"), page
    assert page["heading"] == "Sign in to reach wiki", page


def is_the_wiki(office, page: dict) -> None:
    assert page.get("text", "").strip() == f"this is wiki; you are {office.alice.address[4]}", page


def after_the_end(office) -> tuple[int, int]:
    """Waits until alice's sign-in counts no more, and returns what the wiki has had until then. Counted on, not from zero:
    the last connection may just be closing."""
    sleep_until(office.deadline(office.alice, office.WIKI[4], office.HTTP) + SLACK)
    return office.servers.count("wiki")


def test_by_the_proxy_file(aside):
    office = aside
    serve(office, "http.listen", "socks.listen")
    with Chromium(office.alice, pac(office)) as chromium:
        outside = chromium.open("http://news.lan/")
        assert "error" in outside, "in no resource, and so no business of the proxies"
        # A tunnel is refused without a page; it must not make Chromium think that the HTTP proxy is broken.
        assert "error" in chromium.open(f"https://wiki.lan:{office.TLS}/")
        asks_for_a_sign_in(office, chromium.open("http://wiki.lan/"))
        connected = chromium.sign_in(office, "alice")
        assert connected["heading"] == "Connected", connected
        office.untouched("wiki", "vault", "news")
        page = chromium.open("http://wiki.lan/")
        is_the_wiki(office, page)
        assert page["url"] == "http://wiki.lan/" and "nightlatch" in page["via"], page
        is_the_wiki(office, chromium.open(f"http://{office.WIKI[4]}/by-address"))
        assert office.servers.count("wiki", office.alice.address[4])[0] >= 1
        had = after_the_end(office)
        asks_for_a_sign_in(office, chromium.open("http://wiki.lan/again"))
        asks_for_a_sign_in(office, chromium.open(f"http://{office.WIKI[4]}/again"))
        assert office.servers.count("wiki") == had
        office.untouched("vault", "news")


@pytest.mark.parametrize("told", ["by an argument", "by the proxy file"])
def test_by_socks(aside, told):
    office = aside
    serve(office, "socks.listen")
    # The portal is not behind the proxy: the gate is no way to itself.
    words = [pac(office)] if "file" in told else [f"--proxy-server=socks5://{office.PORTAL}:1080",
                                                  f"--proxy-bypass-list={office.PORTAL}"]
    with Chromium(office.alice, *words) as chromium:
        assert DEAF in chromium.open("http://wiki.lan/").get("error", "")
        office.untouched("wiki")
        outside = chromium.open("http://news.lan/")
        if "file" in told:
            assert "error" in outside, outside
        else:
            assert outside.get("text", "").startswith("this is news"), outside
        page = chromium.open(f"https://{office.PORTAL}/")
        assert page.get("heading") == "Sign in", page
        office.untouched("wiki")
        assert chromium.sign_in(office, "alice")["url"] == f"https://{office.PORTAL}/me"
        is_the_wiki(office, chromium.open("http://wiki.lan/"))
        assert office.servers.count("wiki", office.alice.address[4])[0] >= 1
        had = after_the_end(office)
        assert DEAF in chromium.open("http://wiki.lan/again").get("error", "")
        assert office.servers.count("wiki") == had
