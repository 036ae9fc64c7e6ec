"""Text formats that nest without end, repeat, or hold what is no text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from tests.data.readers.hostile.lures import Lures
from tests.data.readers.hostile.pdfs import noise
from tests.data.readers.hostile.pictures import png


def files(lures: Lures) -> Iterator[tuple[str, bytes]]:
    """Give names and contents."""
    yield "empty.txt", b""
    yield "noise.txt", noise(3_000)
    yield "blank.txt", b" \n\t\n" * 5_000
    yield "half-a-character.txt", "Wörter".encode("utf-16")[:-1]
    yield "wrong-bytes.txt", b"Words \xff\xfe\x80 of no \xc3\x28 encoding. " * 50
    yield "one-line.txt", b"word " * 400_000
    yield "no-spaces.txt", b"a" * 1_000_000
    yield "many-commas.csv", b"," * 500_000 + b"\n1,2\n"
    yield "open-quote.csv", b'a,b\n1,"' + b"x,y\n" * 40_000
    yield "ragged.csv", b"".join(b"," * (i % 300) + b"a\n" for i in range(2_000))
    yield "zeros.csv", b"a,b\n\0,\0\n1,2\n"
    yield "formula.csv", b"a,b\n=cmd|'/c calc'!A1,@SUM(1)\n"
    yield "deep.ipynb", b'{"cells":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "not-json.ipynb", b'{"cells": [' + noise(500)
    yield (
        "odd.ipynb",
        json.dumps({"nbformat": 4, "cells": [None, 5, {"cell_type": 7, "source": {"a": [1]}}]}).encode(),
    )
    yield "bomb.ipynb", notebook(base64.b64encode(png(50_000, 50_000, rows=1)).decode())
    yield "long-number.ipynb", b'{"nbformat": 4, "nbformat_minor": ' + b"9" * 100_000 + b', "cells": []}'
    yield "deep-parts.eml", deep_parts(2_000)
    yield "letters-in-letters.eml", b"Content-Type: message/rfc822\n\n" * 3_000 + b"Subject: last\n\nWords."
    yield "many-parts.eml", many_parts(5_000)
    yield (
        "long-head.eml",
        b"From: a@b.example\nSubject: "
        + b"a" * 1_000_000
        + b"\nTo: "
        + b"c@d.example, " * 30_000
        + b"\n\nWords.",
    )
    yield "other-places.eml", attached("../../evil.txt", lures)
    yield "no-such-charset.eml", b"From: a@b.example\nContent-Type: text/plain; charset=no-such\n\nWords \xff"
    yield (
        "odd-words.eml",
        b"From: a@b.example\nSubject: =?no-such?q?=ff?= =?utf-8?b?!!!?=\nDate: never\n\nWords.",
    )
    yield (
        "times.srt",
        b"1\n99999999:99:99,999 --> 00:00:00,000\nWords.\n\n-1\n00:00:01,000 --> 00:00:02\nMore.\n",
    )
    yield "noise.srt", b"1\n00:00:01,000 --> 00:00:02,000\n" + noise(400)
    yield "many.vtt", b"WEBVTT\n\n" + b"00:00.000 --> 00:01.000\nWords.\n\n" * 5_000
    yield "tags.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"<c.a><v b>" * 20_000 + b"Words.\n"
    yield "noise.mp4", b"\0\0\0\x18ftypisom" + noise(4_000)
    yield "noise.mkv", b"\x1a\x45\xdf\xa3" + noise(4_000)
    yield "noise.avi", b"RIFF\xff\xff\xff\x7fAVI LIST" + noise(4_000)


def notebook(picture: str) -> bytes:
    output = {"output_type": "display_data", "data": {"image/png": picture}, "metadata": {}}
    cell = {
        "cell_type": "code",
        "source": "print(1)",
        "outputs": [output],
        "metadata": {},
        "execution_count": 1,
    }
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}).encode()


def deep_parts(levels: int) -> bytes:
    """A multipart message in a multipart message, and so on."""
    heads = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(levels)
    )
    return b"From: a@b.example\nMIME-Version: 1.0\n" + heads + b"Content-Type: text/plain\n\nWords.\n"


def many_parts(number: int) -> bytes:
    head = b"From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    part = b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nWords.\n"
    return head + part * number + b"--b--\n"


def attached(name: str, lures: Lures) -> bytes:
    """A message with an attachment of that name, and one that lies elsewhere."""
    return (
        "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        f'--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename="{name}"\n\nInner words.\n'
        f'--b\nContent-Type: message/external-body; access-type=local-file; name="{lures.text}"\n\n'
        f"Content-Type: text/plain\n\n\n--b\nContent-Type: text/html\n\n<p>Words.<img src='{lures.address}'>"
        f"<img src='file://{lures.picture}'><img src='cid:none'></p>\n--b--\n"
    ).encode()
