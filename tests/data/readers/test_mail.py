"""E-mail: the best text, its pictures in place, attachments as files; broken and hostile messages."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from plait.data.readers.base import ReadLimits
from plait.errors import ReadError


@pytest.fixture
def mail(tmp_path, read):
    """Write a message, and read it."""

    def run(message: EmailMessage | bytes, **limits: int):
        path = tmp_path / "x.eml"
        path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
        return read(path, limits=ReadLimits(**limits))

    return run


def letter(text: str = "Plain.", subject: str = "Säge", html: str = "") -> EmailMessage:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"], message["From"], message["To"] = subject, "Ä. Sawyer <a@x.org>", "b@x.org, c@x.org"
    message["Date"] = "Wed, 01 May 2024 10:00:00 +0200"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


def test_a_message_is_its_text_titled_by_its_subject(mail):
    document = mail(letter("One\nline.\n\nTwo."))
    assert document.title == "Säge"
    assert document.metadata == {
        "type": "mail",
        "author": "Ä. Sawyer <a@x.org>",
        "to": "b@x.org, c@x.org",
        "created": "2024-05-01T10:00:00+02:00",
    }
    assert [s.text for s in document.segments] == ["One\nline.", "Two."]
    assert document.attachments == ()


def test_html_is_read_with_its_pictures_in_place(mail, png):
    message = letter(
        html="<p>one</p><img src='cid:saw%40x' alt='A saw'><p>two</p><img src='http://127.0.0.1/t.gif'>"
    )
    message.get_payload()[1].add_related(png(), "image", "png", cid="<saw@x>", filename="saw.png")
    document = mail(message)
    assert [(s.kind, s.text) for s in document.segments] == [
        ("text", "one"),
        ("image", "A saw"),
        ("text", "two"),
    ]
    assert document.attachments == ()
    assert document.warnings == (
        "left out 1 picture: not stored beside the page (nothing is fetched from elsewhere)",
    )


def test_attachments_are_files_of_the_spool_under_safe_names(mail, spool, png):
    message = letter()
    for name in ("../../a.pdf", "a.pdf", "Bericht für.txt", "C:\\x\\b.png", ".bashrc", "c.exe"):
        message.add_attachment(b"words", "application", "octet-stream", filename=name)
    message.add_attachment(png(), "image", "png")
    message.add_attachment(letter(subject="Inner/one"))
    document = mail(message)
    assert [attachment.name for attachment in document.attachments] == [
        "a.pdf",
        "a (2).pdf",
        "Bericht für.txt",
        "b.png",
        "part-7.png",
        "Inner one.eml",
    ]
    assert {Path(attachment.path).parent.parent for attachment in document.attachments} == {spool}
    assert b"Inner/one" in Path(document.attachments[-1].path).read_bytes()
    assert document.warnings == (
        "left out 1 part: .exe is not read",
        "left out 1 part: of a kind that is not read",
    )


def test_files_past_the_limits_are_told(mail):
    message = letter()
    for data in (b"a", b"b", b"", bytes(2**20 + 1)):
        message.add_attachment(data, "text", "x", filename="a.txt")
    document = mail(message, max_attachments=1, max_file_mb=2)
    assert len(document.attachments) == 1
    assert document.warnings == ("left out 1 part: empty", "left out 2 parts: more than max_attachments (1)")


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ("Content-Type: text/plain; charset=nonsense", "Säge".encode(), "Säge"),
        ("Content-Type: text/plain; charset=utf-8", "Säge".encode("cp1252"), "Säge"),
        ("Content-Type: text/plain; charset=hex", b"Saw", "Saw"),
        ("Content-Transfer-Encoding: base64", b"U2F3*IQ", "Saw!"),
        ("Content-Type: multipart/mixed", b"no boundary", "no boundary"),
        ("Content-Type: multipart/mixed; boundary=x", b"--x\n\npart never ended", "part never ended"),
        ("no header at all", b"Saw", "no header at all\n\nSaw"),
        ("X: " + "=?utf-8?q?a?= " * 90_000, b"Saw", "Saw"),
        ('Content-Type: text/plain; a="' + ";" * 500_000 + '"', b"Saw", "Saw"),
    ],
    ids=[
        "charset",
        "wrong charset",
        "no text codec",
        "base64",
        "boundary",
        "cut",
        "no header",
        "long",
        "quotes",
    ],
)
def test_broken_messages_are_read_as_far_as_they_go(mail, head, body, text):
    document = mail(f"{head}\n\n".encode() + body)
    assert "\n\n".join(s.text for s in document.segments).startswith(text)


def test_raw_bytes_in_headers_are_guessed_and_nothing_controls_the_terminal(mail):
    assert mail("Subject: Säge \x1b[2J\n\nx".encode("cp1252")).title == "Säge [2J"
    assert mail(b"Subject: =?utf-8?b?!!!?= =?nope?q?Saw?=\n\nx").title


def test_the_order_of_alternatives_does_not_matter(mail):
    parts = [
        "Content-Type: text/html\n\n<p>rich",
        "Content-Type: text/plain\n\nplain",
        "Content-Type: text/calendar\n\nX",
    ]
    body = "".join(f"--b\n{part}\n" for part in parts)
    document = mail(f"Content-Type: multipart/alternative; boundary=b\n\n{body}--b--\n".encode())
    assert [s.text for s in document.segments] == ["rich"]


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        "Content-Type: multipart/encrypted; boundary=b",
    ],
)
def test_encrypted_messages_are_refused(mail, head):
    with pytest.raises(ReadError, match="encrypted"):
        mail(f"{head}\n\n--b\nContent-Type: text/plain\n\nx\n--b--".encode())


def test_what_only_outlook_reads_is_told(mail):
    message = letter()
    message.add_attachment(b"x", "application", "ms-tnef", filename="winmail.dat")
    assert mail(message).warnings == ("left out 1 part: packed as winmail.dat, which only Outlook reads",)


@pytest.mark.parametrize("depth", [50, 1100])
def test_parts_in_parts_are_read_to_a_depth(mail, depth):
    heads = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(depth))
    data = f"Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntop\n--a\n{heads}\ndeep".encode()
    if depth == 50:
        assert mail(data).warnings == ("left out 1 part: nested more than 20 deep",)
    else:
        with pytest.raises(ReadError, match="nest hundreds deep"):
            mail(data)


def test_a_message_of_nothing_is_refused(mail):
    with pytest.raises(ReadError, match="holds no text and no files"):
        mail(b"Subject: x\n\n")
