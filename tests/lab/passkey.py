"""An authenticator and the script of the portal's pages: makes a passkey and answers challenges (W3C Web Authentication).
ES256 by the program openssl."""
import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess

from client import Browser, form

PRESENT, VERIFIED, NEW_KEY = 0x01, 0x04, 0x40


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _told(page, name: str) -> str:
    """What the page's form tells its script."""
    found = re.search(rf'data-{name}="([^"]*)"', page.body)
    assert found, f"the page has no passkey's form:\n{page.body}"
    return found.group(1)


class Passkey:
    """One credential of one person for one portal."""

    def __init__(self, folder: pathlib.Path, portal: str):
        self._portal, self._key = portal, str(folder / "passkey.key")
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self._key)
        self._id, self._count, self._user = os.urandom(16), 0, b""

    def _openssl(self, *words: str, data: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout

    def _authenticator_data(self, flags: int, more: bytes = b"") -> bytes:
        self._count += 1
        return hashlib.sha256(self._portal.encode()).digest() + bytes([flags]) + self._count.to_bytes(4, "big") + more

    def _client_data(self, kind: str, page) -> bytes:
        return json.dumps({"type": f"webauthn.{kind}", "challenge": _told(page, "challenge"), "origin": f"https://{self._portal}",
                           "crossOrigin": False}).encode()

    def add(self, browser: Browser) -> None:
        """On the page of second factors, in a browser that has just signed in."""
        page = browser.get("/me/factors")
        page = browser.post("/me/factors/passkey", form(page.body, "/me/factors/passkey"))
        self._user = _bytes(_told(page, "user"))
        point = self._openssl("pkey", "-in", self._key, "-pubout", "-outform", "DER")[-64:]
        # {1: 2, 3: -7, -1: 1, -2: x, -3: y}: RFC 9053 section 7.1.
        key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + point[:32] + b"\x22\x58\x20" + point[32:]
        data = self._authenticator_data(PRESENT | VERIFIED | NEW_KEY,
                                        bytes(16) + len(self._id).to_bytes(2, "big") + self._id + key)
        attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(data)]) + data
        reply = browser.post("/me/factors/passkey/confirm", {
            **form(page.body, "/me/factors/passkey/confirm"), "name": "key",
            "client_data": _text(self._client_data("create", page)), "attestation": _text(attestation)})
        assert reply.status in (200, 303), reply

    def show(self, browser: Browser, page, action: str, flags: int = PRESENT | VERIFIED):
        """Answers the challenge of this page's form."""
        client, data = self._client_data("get", page), self._authenticator_data(flags)
        signed = self._openssl("dgst", "-sha256", "-sign", self._key, data=data + hashlib.sha256(client).digest())
        return browser.post(action, {
            **form(page.body, action), "credential": _text(self._id), "client_data": _text(client),
            "authenticator_data": _text(data), "signature": _text(signed), "user_handle": _text(self._user)})
