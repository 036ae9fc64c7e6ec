"""One scan file: it gives back what was written, and anything else in it is noticed."""

from __future__ import annotations

import gc
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.scan_files import FIELD, piece, vectors_of, written

from plait.errors import LibraryError
from plait.index.scan.file_format import PAGE, SECTIONS, Counts
from plait.index.scan.scan_planes import planes_of
from plait.index.scan.segment import ScanDamagedError, Segment
from plait.scoring.vectors import VectorField

SINGLE = VectorField("dense", width=4, tokens=1, items="unit", asks="text")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A file of 40 units, unit 0 without items, in two pieces."""
    sizes = [index % 3 for index in range(40)]
    folder = tmp_path_factory.mktemp("scan")
    return written(folder, piece(range(25), sizes[:25]), piece(range(25, 40), sizes[25:]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_file_gives_back_bit_for_bit_what_was_written(tmp_path_factory, sizes_of_pieces):
    folder = tmp_path_factory.mktemp("round")
    pieces, key = [], 0
    for sizes in sizes_of_pieces:
        pieces.append(piece(range(key, key + len(sizes)), sizes))
        key += len(sizes)
    keys, sizes, vectors = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    segment = Segment.open(written(folder, *pieces), FIELD)
    planes, scales = planes_of(vectors)
    assert np.array_equal(segment.keys, keys)
    assert np.array_equal(segment.offsets, [0, *np.cumsum(sizes)])
    assert np.array_equal(segment.scales, scales)
    assert np.array_equal(segment.planes, planes)
    assert segment.read(np.arange(len(vectors))).tobytes() == vectors.tobytes()
    assert segment.problems() == []


def test_a_segment_in_memory_equals_the_one_in_a_file(path):
    keys, sizes, vectors = piece(range(40), [index % 3 for index in range(40)])
    held, stored = Segment.of(keys, np.cumsum([0, *sizes]), vectors), Segment.open(path)
    items = np.array([7, 3, 3, 12])
    for name in ("keys", "offsets", "scales", "planes"):
        assert np.array_equal(getattr(held, name), getattr(stored, name))
        assert getattr(held, name).dtype == getattr(stored, name).dtype
    assert np.array_equal(held.read(items), stored.read(items))
    assert held.problems() == []
    held.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 38), max_size=60))
def test_items_come_in_the_order_asked_repeats_and_neighbours_too(path, items):
    everything = piece(range(40), [index % 3 for index in range(40)])[2]
    wanted = np.array(items, np.int64)
    assert np.array_equal(Segment.open(path).read(wanted), everything[wanted])


@pytest.mark.parametrize("shuffled", [False, True])
def test_more_neighbours_than_one_call_can_take_are_read(tmp_path, shuffled):
    keys, sizes, vectors = piece(range(3000), field=SINGLE)
    segment = Segment.open(written(tmp_path, (keys, sizes, vectors), field=SINGLE))
    items = np.random.default_rng(1).permutation(3000) if shuffled else np.arange(3000)
    assert np.array_equal(segment.read(items), vectors[items])


def test_single_vectors_have_one_plane_and_their_scale_gives_them_back(tmp_path):
    segment = Segment.open(written(tmp_path, piece(range(5), field=SINGLE), field=SINGLE))
    again = segment.planes[0] * segment.scales[:, None]
    assert segment.planes.shape == (1, 5, 4)
    assert np.abs(again - segment.read(np.arange(5))[:, 0]).max() <= segment.scales.max()


def test_the_items_of_units_follow_each_other(path):
    segment = Segment.open(path)  # units have 0, 1, 2, 0, 1, 2 ... items
    items, starts = segment.items_of(np.array([2, 3, 7]))
    assert items.tolist() == [1, 2, 6]
    assert starts.tolist() == [0, 2, 2]


@pytest.mark.parametrize("item", [-1, 39])
def test_an_item_that_is_not_there_is_an_error_never_other_bytes(path, item):
    with pytest.raises(IndexError, match="39 items"):
        Segment.open(path).read(np.array([0, item]))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_found_and_named(path, tmp_path_factory, data):
    part = data.draw(st.sampled_from(["header", *SECTIONS]))
    first, last = _spans()[part]
    place = data.draw(st.integers(first, last - 1))
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = tmp_path_factory.mktemp("flip") / path.name
    damaged.write_bytes(changed)
    [problem] = _problems(damaged)
    assert str(damaged) in problem
    assert "plait compact" in problem
    if part != "header":
        assert f"checksum of its {part}" in problem


def test_every_byte_of_a_file_is_in_a_checksum(path):
    assert sorted(_spans().values())[0][0] == 0
    assert max(last for _, last in _spans().values()) == path.stat().st_size


def test_changes_in_several_sections_are_all_named(path, tmp_path):
    changed = bytearray(path.read_bytes())
    for name in ("vectors", "planes"):
        changed[_spans()[name][0]] ^= 1
    damaged = tmp_path / path.name
    damaged.write_bytes(changed)
    vectors, planes = Segment.open(damaged).problems()
    assert "checksum of its vectors" in vectors
    assert "checksum of its planes" in planes


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused(path, tmp_path_factory, share):
    whole = path.read_bytes()
    cut = tmp_path_factory.mktemp("cut") / path.name
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ScanDamagedError, match="bytes, expected"):
        Segment.open(cut)


def test_a_file_with_more_at_its_end_is_refused(path, tmp_path):
    longer = tmp_path / path.name
    longer.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ScanDamagedError, match="bytes, expected"):
        Segment.open(longer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda page: b"\x89PNG\r\n\x1a\n" + page[8:], "begins with"),
        (lambda page: page[:8] + b"\2" + page[9:], "format 2, expected 1"),
    ],
)
def test_another_kind_of_file_is_refused(path, tmp_path, change, words):
    whole = path.read_bytes()
    foreign = tmp_path / path.name
    foreign.write_bytes(change(whole[:PAGE]) + whole[PAGE:])
    with pytest.raises(ScanDamagedError, match=words):
        Segment.open(foreign)


@pytest.mark.parametrize(
    "field",
    [
        VectorField("image", FIELD.width, FIELD.tokens, "unit", "joint"),
        VectorField(FIELD.name, 2 * FIELD.width, FIELD.tokens, "unit", "joint"),
        VectorField(FIELD.name, FIELD.width, FIELD.tokens + 1, "unit", "joint"),
    ],
)
def test_a_file_of_another_field_is_refused(path, field):
    with pytest.raises(ScanDamagedError, match=f"expected \\('{field.name}', {field.tokens}, {field.width}"):
        Segment.open(path, field)


def test_a_folder_in_its_place_is_an_error_with_a_next_step(tmp_path):
    with pytest.raises(LibraryError, match="check the disk"):
        Segment.open(tmp_path)


def test_a_missing_file_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        Segment.open(tmp_path / "none.scan")


def test_a_field_name_too_long_for_the_header_is_refused(tmp_path):
    field = VectorField("x" * PAGE, width=4, tokens=1, items="unit", asks="text")
    with pytest.raises(LibraryError, match="shorten it"):
        written(tmp_path, piece([1], field=field), field=field)
    assert list(tmp_path.iterdir()) == []


def test_an_open_segment_outlives_its_file(tmp_path):
    file = written(tmp_path, piece(range(50)))
    segment = Segment.open(file)
    file.unlink()
    assert np.array_equal(segment.read(np.array([49])), vectors_of(49))
    assert segment.planes.any()
    assert segment.problems() == []


def test_a_closed_segment_says_so_and_never_reads_another_file(tmp_path):
    segment = Segment.open(written(tmp_path, piece(range(5))))
    segment.close()
    segment.close()
    with pytest.raises(LibraryError, match="closed"):
        segment.read(np.array([0]))


def test_a_file_cut_short_after_it_was_opened_is_an_error_not_zeros(tmp_path):
    file = written(tmp_path, piece(range(500)))
    segment = Segment.open(file)
    os.truncate(file, PAGE + 100)
    with pytest.raises(ScanDamagedError, match="ends at byte"):
        segment.read(np.arange(500))
    assert "bytes, expected" in segment.problems()[0]


def test_writing_to_its_arrays_changes_neither_the_file_nor_another_reader(tmp_path):
    file = written(tmp_path, piece(range(5)))
    one, other = Segment.open(file), Segment.open(file)
    one.planes[:] = 1
    one.keys[:] = 0
    assert other.keys.tolist() == list(range(5))
    assert not (other.planes == 1).all()
    assert other.problems() == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")
def test_a_segment_let_go_of_keeps_no_file_open_whether_it_opened_or_not(path, tmp_path):
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[:-1])
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    Segment.open(path)
    with pytest.raises(ScanDamagedError):
        Segment.open(cut)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_several_threads_read_one_segment_at_once(tmp_path):
    everything = piece(range(2000))
    segment = Segment.open(written(tmp_path, everything))

    def read(seed: int) -> bool:
        items = np.random.default_rng(seed).integers(0, 2000, 300)
        return np.array_equal(segment.read(items), everything[2][items])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(40)))


@pytest.mark.parametrize("left", [0, 1], ids=["none to open", "one, and none to map"])
def test_too_many_open_files_are_an_error_with_a_next_step(path, left):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(path, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + left, hard))
    try:
        with pytest.raises(LibraryError, match="how many files may be open"):
            Segment.open(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert Segment.open(path).problems() == []


def _spans() -> dict[str, tuple[int, int]]:
    """Return the bytes of each part of the file in `path`, with the zeros that follow it."""
    sections = Counts(FIELD.name, FIELD.tokens, FIELD.width, FIELD.kept, 4, 40, 39).sections()
    return {"header": (0, PAGE)} | {name: (part.offset, part.end) for name, part in sections.items()}


def _problems(path: Path) -> list[str]:
    """Return what opening a file and then reading all of it say."""
    try:
        return Segment.open(path, FIELD).problems()
    except ScanDamagedError as error:
        return [str(error)]
