"""A web server that has images, over real HTTP: with ranges, or failing as servers do."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that hangs up in the middle is what some tests are about."""


class ImageServer:
    """`files`: what it has, by path. The other attributes say how it fails.

    cut_at: ends each answer after so many bytes of the file, once for each entry. page: sent with
    status 200 for whatever is asked for, as a login page is. kind: the content type it claims.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.cut_at: list[int] = []
        self.page: bytes | None = None
        self.kind = "application/octet-stream"
        self.ranges = True
        self.etag = '"1"'
        self.redirect: str | None = None
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str | None]] = []

    def __enter__(self) -> "ImageServer":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        if self.redirect:
            self._head(request, 302, {"Location": self.redirect, "Content-Length": "0"})
            return
        status = self.statuses.pop(0) if self.statuses else 200
        body = self.files.get(request.path)
        kind = self.kind
        if self.page is not None:
            body, kind = self.page, "text/html; charset=utf-8"
        elif body is None or status != 200:
            status, body, kind = status if status != 200 else 404, b"<html>no</html>", "text/html"
        headers = {"Content-Type": kind, "ETag": self.etag}
        start = 0
        same = request.headers.get("If-Range") in (None, self.etag)
        if wanted and self.ranges and status == 200 and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self._head(request, 416, {"Content-Length": "0"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        headers["Content-Length"] = str(len(body) - start)
        self._head(request, status, headers)
        end = self.cut_at.pop(0) if self.cut_at else len(body)
        request.wfile.write(body[start:end])
        if end < len(body):
            request.close_connection = True
            request.connection.close()

    def _head(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
