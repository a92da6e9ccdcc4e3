"""Stands for `vllm` or `transformers` on PATH: answers every row as a file says, by its image.

`fake_program.py ANSWERS LOG COMMAND...` notes the command line, and serves at its `--port`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

answers, log, command = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), sys.argv[3:]
if command[1] in ("version", "--version"):
    print("5.24.0")
    sys.exit()
log.write_text(json.dumps(command))
if answers is None:
    print("out of memory")
    sys.exit(1)
name = command[command.index("--served-model-name") + 1] if "vllm" in command[0] else command[2]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def _send(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._send({"data": [{"id": name, "owned_by": "vllm"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        image = ""
        for part in body.get("messages", [{}])[-1].get("content", ""):
            if isinstance(part, dict) and part["type"] == "image_url":
                data = part["image_url"]["url"].partition("base64,")[2]
                image = hashlib.sha256(base64.b64decode(data)).hexdigest()
        self._send({"choices": [{"message": {"content": answers.get(image)}}]})


HTTPServer(("127.0.0.1", int(command[command.index("--port") + 1])), Handler).serve_forever()
