"""What `.gitignore` and `.plaitignore` leave out is what git leaves out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.library.ignoring import RuleFileError, Rules, parse

PATHS = ["a", "b.md", "a/b.md", "a/c", "a/c/b.md", "a/c/d/b.md", "c/d/a", "ab/b", "[x]", "a b", "c/#a", "!b"]


def left_out(lines: list[str], path: str, *, is_folder: bool = False) -> bool:
    """Tell whether lines leave out a path or a folder above it, as a walk would find."""
    rules = Rules.starting(Path("/w"), ignore=lines, hidden=True)
    parts = Path("/w", path).parts
    return any(
        rules.leave_out(parts[:depth], is_folder=is_folder or depth < len(parts))
        for depth in range(3, len(parts) + 1)
    )


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("b.md", "a/c/b.md", True),  # a name alone holds at every depth
        ("/b.md", "a/b.md", False),  # a leading slash ties it to the folder of the rules
        ("a/b.md", "a/b.md", True),
        ("a/b.md", "c/a/b.md", False),  # and so does one in the middle
        ("*.md", "a/b.md", True),
        ("a/*.md", "a/c/b.md", False),  # a star stays within a name
        ("a/**/b.md", "a/b.md", True),  # two stars fit any number of folders, none too
        ("a/**/b.md", "a/c/d/b.md", True),
        ("**/d/b.md", "a/c/d/b.md", True),
        ("a/**", "a/c/b.md", True),
        ("c/", "a/c/b.md", True),  # what lies in a folder left out is left out
        ("b.md/", "b.md", False),  # about folders only
        ("[a-c].md", "b.md", True),
        ("[!a].md", "b.md", True),
        ("[^b].md", "b.md", False),
        ("[[:alpha:]].md", "b.md", True),
        (r"\[x\]", "[x]", True),
        (r"\#a", "c/#a", True),
        ("#a", "c/#a", False),  # a comment
        (r"\!b", "!b", True),
        ("a\\ ", "a ", True),  # a space at the end counts when it is written so
        ("a  ", "a", True),
        ("?.md", "b.md", True),
        ("", "a", False),
    ],
)
def test_a_line_means_what_it_means_to_git(line: str, path: str, expected: bool) -> None:
    assert left_out([line], path) is expected


def test_the_last_line_that_speaks_of_a_file_is_right() -> None:
    assert not left_out(["*.md", "!b.md"], "b.md")
    assert left_out(["!b.md", "*.md"], "b.md")
    assert left_out(["a/", "!a/b.md"], "a/b.md")  # nothing comes back out of a folder left out


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                ["a", "b", "c", ".md", "*", "**", "/", "?", "[ab]", "[!a]", "!", "#", " ", "\\*"]
            ),
            max_size=6,
        ).map("".join),
        max_size=4,
    )
)
def test_git_leaves_out_the_same_of_any_rules(repository: Path, lines: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join(lines))
    asked = subprocess.run(
        ["git", "-C", str(repository), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert asked.returncode in (0, 1), asked.stderr
    assert [path for path in PATHS if left_out(lines, path)] == asked.stdout.split("\0")[:-1]


def test_a_hostile_pattern_takes_no_time() -> None:
    (stars,) = parse(["*a" * 60 + "b"])
    (folders,) = parse(["a/" + "**/a/" * 60 + "b"])
    assert not stars.fits(["a" * 250], is_folder=False)
    assert not folders.fits(["a"] * 1000, is_folder=False)


@pytest.mark.parametrize("kind", ["link", "pipe", "long", "many"])
def test_rules_that_cannot_be_followed_are_an_error(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ".plaitignore"
    if kind == "link":
        file.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.write_text("x" * 2_000_000 if kind == "long" else "x\n" * 20_000)
    with pytest.raises(RuleFileError) as caught:
        Rules().inside(tmp_path)
    assert caught.value.file == file


def test_plaitignore_is_stronger_than_gitignore_and_the_command_line_than_both(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.md\n*.txt\n")
    (tmp_path / ".plaitignore").write_text("!*.md\r\n")
    rules = Rules.starting(tmp_path, ignore=["secret.md"]).inside(tmp_path)
    names = ["a.md", "a.txt", "secret.md", "node_modules", ".hidden.md", "~$a.md"]
    kept = [n for n in names if not rules.leave_out((*tmp_path.parts, n), is_folder=n == "node_modules")]
    assert kept == ["a.md"]
