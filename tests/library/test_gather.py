"""Which files an `add` takes, and what it says of those it does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from plait.errors import MissingPathError
from plait.library.gather import Gathered, gather, sha256_of
from plait.library.sources import holders, is_below, is_gone, piped_source


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def sources(gathered: Iterable[object]) -> list[str]:
    return [found.source for found in gathered]  # type: ignore[attr-defined]


def reasons(gathered: Gathered) -> dict[str, str]:
    return {failure.source: failure.reason for failure in gathered.skipped}


def test_a_folder_gives_readable_files_that_no_rule_leaves_out(tmp_path: Path) -> None:
    put(tmp_path, "b.md", "a.txt", "tool.exe", "sub/c.md", "sub/z.png", "drafts/d.md", "node_modules/e.md")
    put(
        tmp_path, ".hidden/f.md", ".g.md", "~$h.docx", ".plait/library.md", "sub/i.tmp.md", "sub/deep/keep.md"
    )
    put(tmp_path, "sub/deep/j.md")
    (tmp_path / ".gitignore").write_text("drafts/\n")
    (tmp_path / "sub" / ".plaitignore").write_text("*.tmp.md\ndeep/*\n!keep.md\n")
    found = gather([tmp_path], library_root=tmp_path)
    assert sources(found) == ["a.txt", "b.md", "sub/c.md", "sub/deep/keep.md", "sub/z.png"]
    assert [f.is_picture for f in found] == [False, False, False, False, True]
    assert (len(found.documents), len(found.pictures), found.skipped) == (4, 1, [])
    assert found.bytes == sum(f.bytes for f in found) == sum(f.path.stat().st_size for f in found)
    hidden = gather([tmp_path], library_root=tmp_path, hidden=True, ignore=["sub/", "*.txt"])
    assert sources(hidden) == [".g.md", "b.md", ".hidden/f.md"]


def test_what_is_named_is_taken_whatever_the_rules_say(tmp_path: Path) -> None:
    put(tmp_path, ".gitignore", "secret.md", "drafts/a.md", "drafts/b.log")
    (tmp_path / ".gitignore").write_text("secret.md\ndrafts/\n")
    (tmp_path / ".git").mkdir()
    paths = [tmp_path, tmp_path / "secret.md", tmp_path / "drafts", tmp_path / "drafts" / "b.log"]
    assert sources(gather(paths, library_root=tmp_path)) == ["secret.md", "drafts/b.log", "drafts/a.md"]


def test_rules_of_the_repository_hold_in_a_named_folder_of_it(tmp_path: Path) -> None:
    put(tmp_path, ".git/HEAD", "docs/a.md", "docs/old/b.md", "docs/c.md")
    (tmp_path / ".gitignore").write_text("old/\n/docs/c.md\n")
    assert sources(gather([tmp_path / "docs"], library_root=tmp_path / "docs")) == ["a.md"]
    assert sources(gather([tmp_path / "docs"], library_root=tmp_path)) == ["docs/a.md"]


def test_each_file_comes_once_however_often_it_is_meant(tmp_path: Path) -> None:
    put(tmp_path, "a/b.md", "a/c/d.md")
    (tmp_path / "same").symlink_to("a")
    paths = [
        tmp_path / "a",
        tmp_path / "a" / "c",
        tmp_path / "a/c/d.md",
        tmp_path / "a/**/*.md",
        tmp_path / "a",
    ]
    expected = ["a/c/d.md", "a/b.md"]  # named first, then those of a pattern, then those of folders
    assert sources(gather(paths, library_root=tmp_path)) == expected
    assert sources(gather([tmp_path / "a", tmp_path / "same"], library_root=tmp_path)) == expected[::-1]


def test_a_pattern_gives_the_files_that_fit_and_those_of_folders_that_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "docs/a.pdf", "docs/x/b.pdf", "docs/x/c.md", "docs/x/.h/d.pdf", "e.pdf", "w[1].md")
    (tmp_path / "docs" / "link.pdf").symlink_to("/etc/hostname")
    monkeypatch.chdir(tmp_path)
    assert sources(gather(["docs/**/*.pdf"], library_root=tmp_path)) == ["docs/a.pdf", "docs/x/b.pdf"]
    assert sources(gather(["docs/*.pdf"], library_root=tmp_path)) == ["docs/a.pdf"]
    assert sources(gather(["do?s/[x-z]"], library_root=tmp_path)) == ["docs/x/b.pdf", "docs/x/c.md"]
    assert sources(gather(["w[1].md"], library_root=tmp_path)) == ["w[1].md"]  # a file of that name
    with pytest.raises(MissingPathError, match=r"docs/\*\.docx: no file"):
        gather(["docs/*.docx"], library_root=tmp_path)
    with pytest.raises(MissingPathError, match="nowhere: no such file"):
        gather(["docs", "nowhere"], library_root=tmp_path)


def test_links_out_of_the_folder_are_listed_and_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.md", "in/a.md", "in/store/b.md")
    inside = tmp_path / "in"
    (inside / "out.md").symlink_to(tmp_path / "outside" / "secret.md")
    (inside / "folder").symlink_to(tmp_path / "outside")
    (inside / "loop").symlink_to(inside)
    (inside / "latest.md").symlink_to("store/b.md")
    (inside / "broken.md").symlink_to("nowhere.md")
    (inside / "circle.md").symlink_to("circle.md")
    (inside / "library.so").symlink_to("/usr/lib/nothing.so")
    found = gather([inside], library_root=inside)
    assert sources(found) == ["a.md", "latest.md", "store/b.md"]
    assert set(reasons(found)) == {"out.md", "folder", "broken.md", "circle.md"}
    assert "outside the folder" in reasons(found)["out.md"]
    assert "leads nowhere" in reasons(found)["broken.md"]
    named = gather([inside / "out.md", inside / "folder"], library_root=inside)
    assert sources(named) == ["out.md", "folder/secret.md"]  # the user's own word


def test_pipes_sockets_and_devices_are_listed_and_never_opened(tmp_path: Path) -> None:
    put(tmp_path, "a.md")
    os.mkfifo(tmp_path / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        found = gather([tmp_path, tmp_path / "pipe.pdf", "/dev/zero"], library_root=tmp_path)
    assert sources(found) == ["a.md"]
    listed = [f"{failure.source}: {failure.reason}" for failure in found.skipped]
    assert listed == [
        "pipe.pdf: is a named pipe, not a file",
        "/dev/zero: is a device, not a file",
        "pipe.pdf: is a named pipe, not a file",
        "s: is a socket, not a file",
    ]
    with pytest.raises(OSError, match="not a plain file"):
        sha256_of(tmp_path / "pipe.pdf")


def test_odd_names_are_taken_and_names_that_cannot_be_told_apart_are_listed(tmp_path: Path) -> None:
    for name in (b"one\ntwo.md", b"\xff.md", b"\xfe.md", "Übung.md".encode()):
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).write_text("text")
    found = gather([tmp_path], library_root=tmp_path)
    assert set(sources(found)) == {"one\ntwo.md", "\ufffd.md", "Übung.md"}
    assert [failure.source for failure in found.skipped] == ["\ufffd.md"]
    assert all(f.path.read_text() == "text" for f in found)


def test_a_file_of_rules_that_cannot_be_followed_is_listed(tmp_path: Path) -> None:
    put(tmp_path, "a.md", "sub/b.md")
    (tmp_path / "sub" / ".gitignore").mkdir()
    found = gather([tmp_path], library_root=tmp_path)
    assert sources(found) == ["a.md", "sub/b.md"]
    assert list(reasons(found)) == ["sub/.gitignore"]


def test_a_folder_that_vanishes_or_cannot_be_listed_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.md", "shut/b.md")
    listed = os.listdir

    def refusing(
        path: Path,
    ) -> list[str]:  # file modes do not stop the superuser, who runs tests in containers
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "listdir", refusing)
    found = gather([tmp_path], library_root=tmp_path)
    assert sources(found) == ["a.md"]
    assert reasons(found) == {"shut": "cannot be listed (Permission denied)"}


def test_a_slice_is_the_same_files(tmp_path: Path) -> None:
    put(tmp_path, "a.md", "b.md", "c.png", "d.png")
    found = gather([tmp_path], library_root=tmp_path)
    assert found[1:3] == list(found)[1:3]
    assert found[-1].source == "d.png"
    with pytest.raises(IndexError):
        found[4]


def test_only_files_can_be_gone(tmp_path: Path) -> None:
    put(tmp_path, "here.zip", "odd!/name.md")
    for source in (
        "here.zip",
        "here.zip!/gone.md",
        "odd!/name.md",
        "https://a.org/x",
        piped_source("x.md"),
        "\ufffd",
    ):
        assert not is_gone(source, tmp_path), source
    for source in ("gone.md", "gone.zip!/a.md", "here.zip/x", str(tmp_path / "gone")):
        assert is_gone(source, tmp_path), source


def test_what_lies_below_a_folder(tmp_path: Path) -> None:
    assert is_below("a/b.md", tmp_path / "a", tmp_path)
    assert is_below("a.zip!/b.md", tmp_path, tmp_path)
    assert is_below("a.md", tmp_path.parent, tmp_path)
    assert is_below("/x/y.md", Path("/"), tmp_path)
    for source in ("ab/c.md", "/x/y.md", "https://a.org/x", piped_source("x")):
        assert not is_below(source, tmp_path / "a", tmp_path)


def test_subtitles_beside_a_recording_are_read_with_it_and_not_again(tmp_path: Path) -> None:
    put(tmp_path, "talk.mp4", "talk.srt", "talk.de.vtt", "other.srt")
    assert sources(gather([tmp_path], library_root=tmp_path)) == ["other.srt", "talk.mp4"]
    assert sources(gather([tmp_path / "talk.srt"], library_root=tmp_path)) == ["talk.srt"]


def test_what_holds_a_source_is_named_from_the_outermost() -> None:
    assert holders("a.zip!/b/c.eml!/d.pdf") == ["a.zip", "a.zip!/b/c.eml", "a.zip!/b/c.eml!/d.pdf"]
    assert holders("a/b.pdf") == ["a/b.pdf"]
