"""What an authenticator app shows: RFC 6238 with SHA-1, six digits and steps of 30 s."""
import base64
import hashlib
import hmac
import struct
import time
import urllib.parse


def secret_of(uri: str) -> str:
    """The secret of an otpauth:// URI, in base 32."""
    return urllib.parse.parse_qs(urllib.parse.urlsplit(uri).query)["secret"][0]


def key_of(secret: str) -> bytes:
    return base64.b32decode(secret + "=" * (-len(secret) % 8))


def code(secret: str, ahead: int = 0) -> str:
    """The code of now, or of so many steps later."""
    mac = hmac.new(key_of(secret), struct.pack(">Q", int(time.time()) // 30 + ahead), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"
