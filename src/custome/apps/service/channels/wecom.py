"""WeCom's (企业微信) callback: SHA-1 over sorted token, timestamp, nonce and ciphertext; AES-256-CBC with the key's first half as
IV; sixteen random bytes, the length, the message, the receiver.

Source: https://developer.work.weixin.qq.com/document/path/90930 and its published examples
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
from dataclasses import dataclass
from xml.etree import ElementTree

from ....errors import InputError
from .incoming import Incoming, SignatureError, check_same

BLOCK = 32
LARGEST = 64 << 10
"""Bytes of a callback."""


@dataclass(frozen=True, kw_only=True)
class WeCom:
    """What an application's callback is set up with.

    Args:
        token: and encoding_aes_key: as the page of the application shows them.
        receiver: the corp's id.
    """

    token: str
    encoding_aes_key: str
    receiver: str

    def verify_url(self, signature: str, timestamp: str, nonce: str, echo: str) -> str:
        """What the address answers when it is set up.

        Raises:
            SignatureError: it is not from there.
        """
        check_same(signature, self.sign(timestamp, nonce, echo))
        return self._open(echo)

    def receive(self, signature: str, timestamp: str, nonce: str, body: bytes) -> Incoming | None:
        """A customer's message; None for an event that is no text.

        Raises:
            SignatureError: it is not from there.
            InputError: no XML of theirs.
        """
        sealed = _field(_xml(body), "Encrypt")
        check_same(signature, self.sign(timestamp, nonce, sealed))
        message = _xml(self._open(sealed).encode())
        if _field(message, "MsgType") != "text":
            return None
        return Incoming(
            customer=_field(message, "FromUserName"),
            text=_field(message, "Content"),
            key=_field(message, "MsgId"),
        )

    def sign(self, timestamp: str, nonce: str, sealed: str) -> str:
        parts = sorted([self.token, timestamp, nonce, sealed])
        return hashlib.sha1("".join(parts).encode()).hexdigest()

    def reply_to(self, customer: str, text: str, timestamp: str) -> str:
        """A text for a customer, as the answer to theirs."""
        said = text.replace("]]>", "]] >")
        return (
            f"<xml><ToUserName><![CDATA[{customer}]]></ToUserName><FromUserName><![CDATA[{self.receiver}]]></FromUserName>"
            f"<CreateTime>{timestamp}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{said}]]></Content></xml>"
        )

    def seal(self, text: str) -> str:
        """A text as they would send it."""
        said = text.encode()
        plain = (
            secrets.token_bytes(16) + struct.pack(">I", len(said)) + said + self.receiver.encode()
        )
        fill = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def _open(self, sealed: str) -> str:
        try:
            decryptor = self._cipher().decryptor()
            plain = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
            plain = plain[: -plain[-1]]
            (length,) = struct.unpack(">I", plain[16:20])
            text, receiver = plain[20 : 20 + length].decode(), plain[20 + length :].decode()
        except (ValueError, struct.error, IndexError) as error:
            raise SignatureError("密文解不开", "核对 EncodingAESKey") from error
        check_same(receiver, self.receiver)
        return text

    def _cipher(self):  # type: ignore[no-untyped-def]  # the library is loaded when it is wanted
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        except ImportError as error:
            raise InputError("没有装解密的包", "pip install 'llm-custome[wecom]'") from error
        key = base64.b64decode(self.encoding_aes_key + "=")
        return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def _xml(body: bytes) -> ElementTree.Element:
    if len(body) > LARGEST or b"<!" in body.replace(b"<![CDATA[", b""):
        raise InputError("不是企业微信的 XML", "看看回调地址有没有配错")
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise InputError(f"不是企业微信的 XML：{error}", "看看回调地址有没有配错") from error


def _field(message: ElementTree.Element, name: str) -> str:
    return message.findtext(name) or ""
