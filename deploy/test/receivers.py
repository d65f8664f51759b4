"""Stand-ins for the servers that alerts are sent to: a mail server, and Telegram's API."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Mail:
    """A mail that was delivered."""

    recipients: list[str]
    subject: str
    text: str


@dataclass
class MailServer:
    """Takes every mail, by SMTP without TLS."""

    port: int
    mails: list[Mail] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keeps a mail; aiosmtpd calls it."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(("plain", "html"))
        self.mails.append(Mail(envelope.rcpt_tos, message["subject"], body.get_content()))
        return "250 OK"

    def __enter__(self) -> MailServer:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()


@dataclass
class Telegram:
    """Takes messages as Telegram's Bot API does: `POST /botTOKEN/sendMessage`."""

    token: str
    port: int
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        telegram = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                known = self.path == f"/bot{telegram.token}/sendMessage"
                if known:
                    telegram.messages.append(body)
                chat = {"id": int(body.get("chat_id", 0)), "type": "group"}
                answer = {"ok": known, "result": {"message_id": 1, "date": 1, "chat": chat}}
                data = json.dumps(answer).encode()
                self.send_response(200 if known else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Prints nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Telegram:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
