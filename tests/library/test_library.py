"""A library on real files: what is added is found, stays through failures, and goes when removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from tests.helpers.tiny_encoder import TinyEncoder

from plait import Library, Query
from plait.errors import (
    InputError,
    LibraryError,
    LibraryFormatError,
    LibraryLockedError,
    MissingPathError,
    NoLibraryError,
    ReadError,
)
from plait.library.folder import LibraryFolder
from plait.library.gather import gather
from plait.library.reports import Progress
from plait.schema import Filter, Unit
from plait.scoring.vectors import UnitVectors
from plait.settings import Settings


def page(folder: Path, name: str, *, title: str, text: str, color: str | None = None) -> Path:
    """Write an HTML page, with a picture of its own if a colour is given."""
    figure = ""
    if color:
        picture(folder / f"{name}.png", color)
        figure = (
            f'<figure><img src="{name}.png" alt="a part"><figcaption>Figure of {title}</figcaption></figure>'
        )
    path = folder / f"{name}.html"
    path.write_text(
        f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>{figure}</body></html>"
    )
    return path


def picture(path: Path, color: str) -> Path:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).ellipse((20, 15, 100, 75), fill=color)
    image.save(path)
    return path


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    folder = tmp_path / "manual"
    folder.mkdir()
    page(
        folder, "boiler", title="Boiler", text="Descale the boiler with citric acid every month.", color="red"
    )
    page(folder, "grinder", title="Grinder", text="Turn the collar to set the grind finer.", color="blue")
    page(folder, "warranty", title="Warranty", text="The guarantee lasts for two years.")
    return folder


@pytest.fixture
def library(manual: Path) -> Iterator[Library]:
    with Library(manual, encoder=TinyEncoder()) as opened:
        opened.add([manual])
        yield opened


def sources(library: Library, query: Query, k: int = 10, lanes: Sequence[str] | None = None) -> list[str]:
    return [hit.source for hit in library.search(query, k=k, lanes=lanes)]


def test_text_finds_the_page_that_says_it(library: Library) -> None:
    assert sources(library, Query.of("how often to descale the boiler"))[0] == "boiler.html"


def test_a_picture_finds_the_page_that_shows_it(library: Library, tmp_path: Path) -> None:
    hits = library.search(Query.of(image=picture(tmp_path / "query.png", "blue")))
    assert hits[0].source == "grinder.html"
    assert hits[0].picture is not None
    assert Path(hits[0].picture).is_file()
    assert hits[0].caption == "Figure of Grinder"


def test_pictures_shown_by_a_page_are_not_added_a_second_time(manual: Path) -> None:
    picture(manual / "loose.png", "green")
    with Library(manual, encoder=TinyEncoder()) as library:
        report = library.add([manual])
        assert (report.added, report.shown, report.failed) == (4, 2, ())
        assert {d.source for d in library.documents()} == {
            "boiler.html",
            "grinder.html",
            "warranty.html",
            "loose.png",
        }


def test_adding_again_skips_what_has_not_changed_and_updates_what_has(library: Library, manual: Path) -> None:
    page(manual, "warranty", title="Warranty", text="The guarantee lasts for seven years.")
    report = library.add([manual])
    assert (report.added, report.updated, report.unchanged) == (0, 1, 2)
    hit = library.search(Query.of("guarantee"), k=1)[0]
    assert "seven" in hit.passage
    assert library.status().documents == 3


def test_a_changed_figure_replaces_the_old_picture_on_disk(library: Library, manual: Path) -> None:
    before = {file.name for file in (library.folder / "pictures").glob("*/*")}
    page(manual, "boiler", title="Boiler", text="Now green.", color="green")
    library.add([manual / "boiler.html"])
    after = {file.name for file in (library.folder / "pictures").glob("*/*")}
    assert len(before) == len(after) == 2
    assert before != after


def test_force_reads_unchanged_files_again(library: Library, manual: Path) -> None:
    assert library.add([manual], force=True).updated == 3
    assert library.status().units == 3


def test_removed_documents_are_not_found_and_their_pictures_are_gone(library: Library) -> None:
    assert library.remove(["boiler.html"]) == 1
    assert "boiler.html" not in sources(library, Query.of("descale boiler"))
    assert len(list((library.folder / "pictures").glob("*/*"))) == 1
    assert library.remove(["boiler.html"]) == 0


@pytest.mark.parametrize("target", ["*.html", "{folder}", "{id}"])
def test_documents_are_removed_by_pattern_folder_or_id(library: Library, manual: Path, target: str) -> None:
    first = library.documents()[0]
    count = library.remove([target.format(folder=manual, id=first.id)])
    assert count == (1 if "{id}" in target else 3)


def test_removing_what_is_missing_keeps_what_is_there(library: Library, manual: Path) -> None:
    (manual / "warranty.html").unlink()
    assert library.status().missing == ("warranty.html",)
    assert library.remove_missing() == 1
    assert library.status().documents == 2


def test_filters_apply_before_ranking(library: Library) -> None:
    query = Query(texts=("descale the boiler",), filters=(Filter("source", "glob", "g*"),))
    assert sources(library, query, k=1) == ["grinder.html"]


def test_a_picture_that_many_pages_show_is_found_on_all_of_them(tmp_path: Path) -> None:
    picture(tmp_path / "shared.png", "orange")
    for number in range(40):  # more than a batch, so that pages read ahead share it with pages stored
        (tmp_path / f"{number:02}.md").write_text(
            f"# Page {number}\n\nwords {number}\n\n![logo](shared.png)\n"
        )
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        assert library.add([tmp_path]).figures == 40
        assert len(library.search(Query.of(image=tmp_path / "shared.png"), k=100)) == 40
        assert not list((library.folder / "spool").glob("*"))


def test_a_file_that_fails_is_named_with_its_remedy_and_the_rest_is_added(manual: Path) -> None:
    (manual / "empty.pdf").write_bytes(b"")
    (manual / "aaa.png").write_bytes(b"not a picture at all")
    with Library(manual, encoder=TinyEncoder()) as library:
        report = library.add([manual])
        assert report.added == 3
        assert {failure.source for failure in report.failed} == {"empty.pdf", "aaa.png"}
        assert all(failure.reason and failure.remedy for failure in report.failed)


def test_a_file_that_turns_bad_leaves_its_last_good_version(library: Library, manual: Path) -> None:
    (manual / "boiler.html").write_bytes(b"")
    assert len(library.add([manual]).failed) == 1
    assert sources(library, Query.of("citric acid"))[0] == "boiler.html"


class FiveWordEncoder(TinyEncoder):
    """Reads five words at once and eight of a text, in two windows; the rest is cut. Refuses "poison"."""

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        counts = [len(passage.text.split()) for unit in units for passage in unit.passages]
        object.__setattr__(self, "windows", self.windows + 2 * sum(count > 5 for count in counts))
        object.__setattr__(self, "truncated", self.truncated + sum(count > 8 for count in counts))
        if any("poison" in passage.text for unit in units for passage in unit.passages):
            raise ReadError("a figure", "cannot be opened", "remove it")
        return super().encode_units(units)


def test_windows_and_cut_texts_are_counted_of_what_was_stored(tmp_path: Path) -> None:
    for name, text in (
        ("short", "no more than five words"),
        ("long", "these are six words at least"),
        ("cut", "these are nine words so that one is cut"),
        ("bad", "this poison is nine words long and is refused"),
    ):
        (tmp_path / f"{name}.txt").write_text(text)
    with Library(tmp_path, encoder=FiveWordEncoder()) as library:
        report = library.add([tmp_path])
        assert (report.added, len(report.failed)) == (3, 1)
        assert (report.windows, report.truncated) == (4, 1)
        again = library.add([tmp_path / "cut.txt"], force=True)
        assert (again.windows, again.truncated) == (2, 1)
        assert again.to_dict()["truncated"] == 1


def test_a_missing_path_stops_before_anything_is_done(manual: Path) -> None:
    with Library(manual, encoder=TinyEncoder()) as library:
        with pytest.raises(MissingPathError, match="no such file"):
            library.add([manual, manual / "nowhere"])
        assert library.status().documents == 0


def test_an_empty_folder_adds_nothing_and_a_search_in_it_says_so(tmp_path: Path) -> None:
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        assert library.add([tmp_path]).added == 0
        assert library.search(Query.of("anything")) == []


def test_progress_counts_files_once_they_are_stored_and_bytes_while_they_are_encoded(tmp_path: Path) -> None:
    text = "".join(f"# Part {n}\n\nWords of the part number {n}.\n\n" for n in range(150))
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text(text)
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4")
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    seen: list[Progress] = []
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add([tmp_path], progress=seen.append)
        done, sizes = [event.done for event in seen], [event.bytes_done for event in seen]
        assert (done[-1], sizes[-1]) == (4, total)
        assert {(event.total, event.bytes_total) for event in seen} == {(4, total)}
        assert done == sorted(done)
        assert sizes == sorted(sizes)
        assert len(set(sizes)) > 6  # told between files, too
        seen.clear()
        library.add([tmp_path], progress=seen.append)
    assert [event.done for event in seen] == [1, 2, 3, 4]


def test_an_interrupted_add_keeps_what_was_stored_and_goes_on(tmp_path: Path) -> None:
    for number in range(40):
        page(tmp_path, f"p{number:02}", title=f"Page {number}", text=f"words number {number}")

    def stop(event: Progress) -> None:
        if event.done >= 30:
            raise KeyboardInterrupt

    with Library(tmp_path, encoder=TinyEncoder()) as library:
        with pytest.raises(KeyboardInterrupt):
            library.add([tmp_path], progress=stop)
        kept = library.status().documents
        assert 0 < kept < 40
        report = library.add([tmp_path])
        assert (report.added, report.unchanged) == (40 - kept, kept)


def test_the_folder_can_be_moved(library: Library, manual: Path, tmp_path: Path) -> None:
    library.close()
    shutil.move(manual, tmp_path / "elsewhere")
    with Library(tmp_path / "elsewhere", encoder=TinyEncoder(), create=False) as moved:
        hit = moved.search(Query.of("descale boiler"), k=1)[0]
        assert hit.picture is not None
        assert Path(hit.picture).is_file()
        assert moved.status().missing == ()


def test_a_unit_is_found_again_by_its_id(library: Library) -> None:
    hit = library.search(Query.of("descale"), k=1)[0]
    unit = library.unit(hit.unit_id)
    assert unit is not None
    assert unit.title == "Boiler"
    assert library.unit("nothing:0") is None


def test_k_and_method_and_lane_are_checked(library: Library) -> None:
    for bad in ({"k": 0}, {"method": "magic"}, {"lanes": ["smell"]}):
        with pytest.raises(InputError):
            library.search(Query.of("boiler"), **bad)  # type: ignore[arg-type]


def test_no_library_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoLibraryError, match="plait add"):
        Library.find(tmp_path)
    with pytest.raises(NoLibraryError, match="plait add"):
        Library(tmp_path, create=False)


def test_the_library_is_found_from_below(library: Library, manual: Path) -> None:
    below = manual / "a" / "b"
    below.mkdir(parents=True)
    assert LibraryFolder.find(below).path == library.folder


def test_another_model_is_refused(library: Library, manual: Path) -> None:
    library.close()
    with pytest.raises(LibraryFormatError, match="cannot be compared"):
        Library(manual, encoder=TinyEncoder(fingerprint="another"))


@pytest.mark.parametrize(
    ("text", "message"), [("{", "damaged"), ('{"format": 99}', "upgrade plait"), ('{"format": 1}', "damaged")]
)
def test_a_damaged_or_newer_manifest_is_refused_clearly(library: Library, text: str, message: str) -> None:
    library.close()
    (library.folder / "library.json").write_text(text)
    with pytest.raises(LibraryFormatError, match=message):
        Library(library.folder)


def test_a_file_where_the_folder_should_be_is_a_library_error(tmp_path: Path) -> None:
    (tmp_path / ".plait").write_text("in the way")
    with pytest.raises(LibraryError, match=r"\.plait"):
        Library(tmp_path, encoder=TinyEncoder())


def test_a_second_writer_is_refused_while_the_first_writes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, time, pathlib; from plait.library.folder import LibraryFolder\n"
        "with LibraryFolder(pathlib.Path(sys.argv[1])).writing(): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(library.folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LibraryLockedError, match="another process"),
            LibraryFolder(library.folder).writing(timeout_seconds=0.2),
        ):
            pass
        assert sources(library, Query.of("descale"))[0] == "boiler.html"  # readers are not kept out
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with LibraryFolder(library.folder).writing(timeout_seconds=5):  # a dead holder's lock is free
        pass


def test_another_process_adds_and_this_one_finds_it(library: Library, manual: Path) -> None:
    assert "steam.html" not in sources(library, Query.of("steam wand"))
    path = page(manual, "steam", title="Steam wand", text="Purge the steam wand after use.")
    code = (
        "import sys; from plait import Library; from tests.helpers.tiny_encoder import TinyEncoder\n"
        "Library(sys.argv[1], encoder=TinyEncoder()).add([sys.argv[2]])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, str(manual), str(path)], check=True, env=environment)
    assert sources(library, Query.of("steam wand"))[0] == "steam.html"


def test_gathering_takes_each_file_once_documents_before_pictures(manual: Path) -> None:
    (manual / ".hidden").mkdir()
    page(manual / ".hidden", "secret", title="Secret", text="not here")
    (manual / "program.exe").write_bytes(b"MZ")
    found = gather([manual, manual / "boiler.html"], library_root=manual)
    assert [f.source for f in found] == [
        "boiler.html",
        "grinder.html",
        "warranty.html",
        "boiler.png",
        "grinder.png",
    ]


def test_the_manifest_names_the_model(library: Library) -> None:
    values = json.loads((library.folder / "library.json").read_text())
    assert (values["format"], values["model"], values["language"]) == (2, "tiny", "english")


def test_a_library_of_format_1_opens_and_the_next_write_makes_it_format_2(library: Library) -> None:
    file = library.folder / "library.json"
    values = json.loads(file.read_text())
    old = {name: values[name] for name in ("model", "fingerprint", "fields")}
    file.write_text(json.dumps({**old, "format": 1}))
    with Library(library.folder, encoder=TinyEncoder(), create=False) as opened:
        before = sources(opened, Query.of("boiler"))
        assert json.loads(file.read_text())["format"] == 1
        assert opened.remove(["grinder.html"]) == 1
        assert json.loads(file.read_text())["format"] == 2
        before.remove("grinder.html")
        assert sources(opened, Query.of("boiler")) == before


def test_a_library_of_a_newer_format_is_refused(library: Library) -> None:
    file = library.folder / "library.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 3}))
    with pytest.raises(LibraryFormatError, match="has format 3, this plait reads up to 2: upgrade plait"):
        Library(library.folder, encoder=TinyEncoder(), create=False)


def test_the_language_of_a_library_is_that_of_its_first_settings(tmp_path: Path) -> None:
    (tmp_path / "haus.md").write_text("# Wohnen\n\nDie Häuser stehen dort.\n")
    asked = Query.of("Haus")
    with Library(tmp_path, settings=Settings(language="de"), encoder=TinyEncoder()) as german:
        german.add([tmp_path])
        assert sources(german, asked, lanes=["bm25"]) == ["haus.md"]
    with Library(tmp_path, settings=Settings(language="en"), encoder=TinyEncoder()) as opened:
        assert sources(opened, asked, lanes=["bm25"]) == ["haus.md"]
    english = Library(tmp_path / "other", encoder=TinyEncoder())
    english.add([tmp_path / "haus.md"])
    assert sources(english, asked, lanes=["bm25"]) == []
    third = Library(tmp_path / "third", settings=Settings(language="elvish"), encoder=TinyEncoder())
    with pytest.raises(InputError, match="no stemmer is known for the language 'elvish'"):
        third.add([tmp_path])
    fourth = Library(tmp_path / "fourth", settings=Settings(vectors="int3"), encoder=TinyEncoder())
    with pytest.raises(InputError, match="vectors cannot be kept as 'int3': use one of float16, int8"):
        fourth.add([tmp_path])
