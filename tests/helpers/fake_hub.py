"""A model hub on 127.0.0.1 that the real huggingface_hub talks to: downloads, uploads, and faults on request.

    with FakeHub(tmp_path / "hub") as hub:                      # <folder>/owner/name/... are the repositories
        environment = hub.environment(tmp_path / "cache")       # for a subprocess, see below
        subprocess.run([sys.executable, "-m", "plait", "models", "download", "owner/name"], env=environment)

huggingface_hub reads its address and folders once, at import: so whatever talks to this hub runs in a
subprocess with `environment`, which also switches off Xet, telemetry and every offline flag, and holds a
token, without which uploads are refused. Files may be put into the folders, and changed, while it runs;
uploads to "main" land there. Other revisions: `hub.tag("owner/name", "v1")` freezes what lies there now.

Faults: `hub.cut(file, after=..., times=...)` drops the connection in the middle of that file,
`hub.stall(file, after=...)` goes silent there instead, `hub.gated` names repositories nobody may read, and
`hub.down` answers everything with 503. `hub.requests` lists what was asked, as "GET /path" or, for a part of
a file, "GET /path bytes=100-".
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]  # path in a repository -> content

_LARGE = (".safetensors", ".bin", ".pt", ".onnx")  # kept by LFS, as the real hub's .gitattributes say
_LOCAL = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_XET_CACHE")


class FakeHub:
    """The hub; use it in a `with` statement. `endpoint` is its address, `folder` holds owner/name/..."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gated: set[str] = set()
        self.down = False
        self.requests: list[str] = []
        self.blobs: dict[str, bytes] = {}  # sha256 -> uploaded by LFS
        self.closing = threading.Event()
        self._commits: dict[tuple[str, str], Files] = {}
        self._refs: dict[tuple[str, str], str] = {}
        self._faults: dict[str, _Fault] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.hub = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, cache: Path) -> dict[str, str]:
        """Return the variables of a process that uses this hub, and `cache` as its HF_HOME."""
        kept = {name: value for name, value in os.environ.items() if name not in _LOCAL}
        return kept | {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(cache),
            "HF_TOKEN": "hf_made_up",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    # --- faults ---

    def cut(self, file: str, *, after: int, times: int = 1) -> None:
        """Drop the connection once `after` more bytes of a file went out, the next `times` times."""
        self._faults[file] = _Fault(after, times, stalls=False)

    def stall(self, file: str, *, after: int) -> None:
        """Go silent, once, when `after` bytes of a file went out; only closing the hub ends it."""
        self._faults[file] = _Fault(after, 1, stalls=True)

    def fault_of(self, file: str) -> _Fault | None:
        """Return the fault due in the next answer with this file, and count it as done."""
        with self._lock:
            fault = self._faults.get(file)
            if fault is None or not fault.times:
                return None
            fault.times -= 1
            return fault

    # --- repositories ---

    def exists(self, repo: str) -> bool:
        return (self.folder / repo).is_dir()

    def tag(self, repo: str, name: str) -> str:
        """Give what a repository holds now a second name; return its commit."""
        self._refs[repo, name] = self.commit_of(repo, "main") or ""
        return self._refs[repo, name]

    def commit_of(self, repo: str, revision: str) -> str | None:
        """Return the commit that a branch, tag or commit means; None if there is none."""
        if revision == "main":
            commit = self._remember(repo, _read(self.folder / repo))
            self._refs[repo, "main"] = commit
            return commit
        if (repo, revision) in self._commits:
            return revision
        return self._refs.get((repo, revision))

    def files(self, repo: str, commit: str) -> Files:
        return self._commits[repo, commit]

    def write(self, repo: str, branch: str, changes: dict[str, bytes | None]) -> str:
        """Add, replace or (None) delete files; return the new commit."""
        start = self.files(repo, self.commit_of(repo, branch) or self.tag(repo, branch))
        files = {path: content for path, content in (start | changes).items() if content is not None}
        if branch == "main":
            for path, content in changes.items():
                _write(self.folder / repo / path, content)
        self._refs[repo, branch] = self._remember(repo, files)
        return self._refs[repo, branch]

    def _remember(self, repo: str, files: Files) -> str:
        summary = json.dumps({path: _sha1(content) for path, content in sorted(files.items())})
        commit = _sha1(f"{repo} {summary}".encode())
        self._commits[repo, commit] = files
        return commit


@dataclass
class _Fault:
    after: int
    times: int
    stalls: bool


@dataclass(frozen=True)
class _Refusal(Exception):
    """An answer other than success; the code is what huggingface_hub tells errors apart by."""

    status: int
    code: str
    message: str


class _Handler(BaseHTTPRequestHandler):
    """One request: finds the method of `_ROUTES` that its path means."""

    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> FakeHub:
        return self.server.hub  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        asked = self.headers.get("Range")
        self.hub.requests.append(f"{self.command} {path}" + (f" {asked}" if asked else ""))
        body = self._body()
        try:
            if self.hub.down:
                raise _Refusal(503, "", "down for a while")
            for method, pattern, route in _ROUTES:
                match = re.fullmatch(pattern, path)
                if match and self.command in method:
                    route(self, body, **match.groupdict())
                    return
            raise _Refusal(404, "", f"nothing at {path}")
        except _Refusal as refusal:
            headers = {"X-Error-Message": refusal.message}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            self._json({"error": refusal.message}, status=refusal.status, headers=headers)

    # --- reading ---

    def _info(self, _: bytes, repo: str, revision: str | None = None) -> None:
        commit, files = self._found(repo, revision or "main")
        siblings = [{"rfilename": path} for path in sorted(files)]
        about = {"_id": commit[:24], "id": repo, "modelId": repo, "sha": commit, "siblings": siblings}
        about |= {"private": False, "gated": "manual" if repo in self.hub.gated else False, "tags": []}
        self._json(about)

    def _tree(self, _: bytes, repo: str, revision: str) -> None:
        _, files = self._found(repo, revision)
        self._json([_entry(path, content) for path, content in sorted(files.items())])

    def _file(self, _: bytes, repo: str, revision: str, file: str) -> None:
        commit, files = self._found(repo, revision)
        if repo in self.hub.gated:
            raise _Refusal(403, "GatedRepo", f"Access to model {repo} is restricted")
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if file not in files:
            self._json(
                {"error": "no such file"}, status=404, headers={"X-Error-Code": "EntryNotFound", **headers}
            )
            return
        content = files[file]
        headers["ETag"] = headers["X-Linked-ETag"] = f'"{_oid(file, content)}"'
        headers["X-Linked-Size"] = str(len(content))
        self._send(200, content, headers, name=file)

    def _whoami(self, _: bytes) -> None:
        self._json({"name": "tester", "type": "user", "orgs": []})

    # --- writing, as huggingface_hub does it without Xet ---

    def _create(self, body: bytes) -> None:
        wanted = json.loads(body)
        repo = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
        self._authorized()
        if self.hub.exists(repo):
            about = {"error": "You already created this model repo", "url": f"{self.hub.endpoint}/{repo}"}
            self._json(about, status=409)
            return
        (self.hub.folder / repo).mkdir(parents=True)
        self._json({"url": f"{self.hub.endpoint}/{repo}", "name": repo, "id": repo})

    def _branch(self, _: bytes, repo: str, branch: str) -> None:
        self._authorized()
        self._found(repo, "main")
        self.hub.tag(repo, branch)
        self._json({})

    def _check_card(self, _: bytes) -> None:
        self._json({"errors": [], "warnings": []})

    def _preupload(self, body: bytes, repo: str, revision: str) -> None:
        self._authorized()
        _, files = self._found(repo, revision)
        answers = [
            {
                "path": path,
                "uploadMode": "lfs" if path.endswith(_LARGE) else "regular",
                "shouldIgnore": False,
                "oid": _oid(path, files[path]) if path in files else None,
            }
            for path in (file["path"] for file in json.loads(body)["files"])
        ]
        self._json({"files": answers})

    def _batch(self, body: bytes, repo: str) -> None:
        self._authorized()
        self._found(repo, "main")
        objects: list[dict[str, Any]] = json.loads(body)["objects"]
        for blob in objects:
            if blob["oid"] not in self.hub.blobs:
                place = f"{self.hub.endpoint}/lfs/{blob['oid']}"
                blob["actions"] = {"upload": {"href": place}, "verify": {"href": f"{place}/verify"}}
        self._json({"transfer": "basic", "objects": objects})

    def _put(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            raise _Refusal(400, "", "the content is not what its name says")
        self.hub.blobs[oid] = body
        self._json({})

    def _verify(self, body: bytes, oid: str) -> None:
        if json.loads(body) != {"oid": oid, "size": len(self.hub.blobs.get(oid, b""))}:
            raise _Refusal(404, "", "never uploaded")
        self._json({})

    def _commit(self, body: bytes, repo: str, revision: str) -> None:
        self._authorized()
        self._found(repo, revision)
        changes: dict[str, bytes | None] = {}
        for line in body.splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                changes[value["path"]] = self.hub.blobs[value["oid"]]
            elif key == "deletedFile":
                changes[value["path"]] = None
        commit = self.hub.write(repo, revision, changes)
        url = f"{self.hub.endpoint}/{repo}/commit/{commit}"
        self._json({"success": True, "commitUrl": url, "commitOid": commit})

    # --- parts of an answer ---

    def _found(self, repo: str, revision: str) -> tuple[str, Files]:
        """Return a revision's commit and files, or refuse as the real hub does."""
        if not self.hub.exists(repo):
            raise _Refusal(404, "RepoNotFound", "Repository not found")
        commit = self.hub.commit_of(repo, revision)
        if commit is None:
            raise _Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, self.hub.files(repo, commit)

    def _authorized(self) -> None:
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            raise _Refusal(401, "", "Invalid username or password.")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json"}
        self._send(status, json.dumps(value).encode(), kind | (headers or {}))

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, name: str = "") -> None:
        """Send an answer, or the part of it that was asked for, with the fault that is due."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if status == 200 else None
        if wanted:
            start = int(wanted[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status, content = 206, content[start:]
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = self.hub.fault_of(name) if name else None
        self.wfile.write(content if fault is None else content[: fault.after])
        if fault is not None:
            self.wfile.flush()
            if fault.stalls:
                self.hub.closing.wait()
            self.close_connection = True


_REPO = r"(?P<repo>[^/]+/[^/]+)"
_ROUTES = (
    (("GET",), f"/api/models/{_REPO}", _Handler._info),
    (("GET",), f"/api/models/{_REPO}/revision/(?P<revision>.+)", _Handler._info),
    (("GET",), f"/api/models/{_REPO}/tree/(?P<revision>.+)", _Handler._tree),
    (("GET", "HEAD"), f"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", _Handler._file),
    (("GET",), "/api/whoami-v2", _Handler._whoami),
    (("POST",), "/api/repos/create", _Handler._create),
    (("POST",), "/api/validate-yaml", _Handler._check_card),
    (("POST",), f"/api/models/{_REPO}/branch/(?P<branch>.+)", _Handler._branch),
    (("POST",), f"/api/models/{_REPO}/preupload/(?P<revision>.+)", _Handler._preupload),
    (("POST",), f"/api/models/{_REPO}/commit/(?P<revision>.+)", _Handler._commit),
    (("POST",), rf"/{_REPO}\.git/info/lfs/objects/batch", _Handler._batch),
    (("PUT",), "/lfs/(?P<oid>[0-9a-f]{64})", _Handler._put),
    (("POST",), "/lfs/(?P<oid>[0-9a-f]{64})/verify", _Handler._verify),
)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """Return a file as the listing of a tree shows it."""
    entry = {"type": "file", "path": path, "size": len(content), "oid": _blob_id(content)}
    if path.endswith(_LARGE):
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 134}
    return entry


def _oid(path: str, content: bytes) -> str:
    return _sha256(content) if path.endswith(_LARGE) else _blob_id(content)


def _blob_id(content: bytes) -> str:
    """Return git's name of a file's content."""
    return _sha1(b"blob %d\0" % len(content) + content)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(folder: Path) -> Files:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
