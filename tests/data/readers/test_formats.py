"""Markdown, plain text, pictures, and telling formats apart."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from plait.data.readers.base import ReadLimits, document_id
from plait.errors import ReadError


def test_markdown_gives_headings_tables_and_pictures(tmp_path, read, png):
    (tmp_path / "a.png").write_bytes(png())
    path = tmp_path / "notes.md"
    path.write_text(
        "---\nlayout: x\n---\n# Saws\n\nCut *wood*.\n\n![a saw](a.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    document = read(path)
    assert document.title == "Saws"
    assert document.metadata["type"] == "markdown"
    assert [s.text for s in document.segments] == ["Saws", "Cut wood.", "a saw", "a | b\n1 | 2"]
    assert document.segments[2].section == ("Saws",)


def test_the_head_of_markdown_becomes_metadata(tmp_path, read):
    path = tmp_path / "notes.md"
    yaml = (
        "---\ntitle: 'Rip: saws'\nauthor:\n  - A. Sawyer\n  - B. Smith\n"
        "date: 2024-05-01 # today\nx: &a *a\n---\n"
    )
    toml = (
        '+++\ntitle = "Rip: saws"\nauthors = ["A. Sawyer", "B. Smith"]\ndate = 2024-05-01\n[x]\ny = 1\n+++\n'
    )
    for head in (yaml, toml):
        path.write_text(f"{head}Cut.\n\n---\n")
        document = read(path)
        assert document.title == "Rip: saws"
        assert document.metadata == {
            "type": "markdown",
            "author": "A. Sawyer, B. Smith",
            "created": "2024-05-01",
        }
        assert [s.text for s in document.segments] == ["Cut."]


def test_a_rule_at_the_top_of_markdown_is_no_head(tmp_path, read):
    path = tmp_path / "notes.md"
    path.write_text("---\nCut.\n\n---\nEnd.\n")
    assert [s.text for s in read(path).segments][-1] == "End."
    assert "Cut." in read(path).segments[0].text


def test_footnotes_of_markdown_are_linked_and_stand_at_the_end(tmp_path, read):
    path = tmp_path / "notes.md"
    path.write_text(
        "Saws[^1] and `[^1]`, [^none].\n\n[^1]: Old *tools*,\n  sharp.\n\n    More.\n\n"
        "```\n[^1]: code\n```\nEnd.\n"
    )
    segments = read(path).segments
    assert [(s.text, s.role) for s in segments] == [
        ("Saws[1] and [^1], [^none].", "body"),
        ("[^1]: code", "code"),
        ("End.", "body"),
        ("[1] Old tools, sharp.", "footnote"),
        ("More.", "footnote"),
    ]
    assert segments[0].links[0].target == f"#{segments[3].anchor}"


def test_restructured_text_is_titled_by_its_heading(tmp_path, read):
    path = tmp_path / "x.rst"
    path.write_text("====\nSaws\n====\n\n.. image:: a.png\n")
    document = read(path)
    assert (document.title, document.segments[1].text) == ("Saws", ".. image:: a.png")


def test_markdown_does_not_show_files_outside_its_folder(tmp_path, read, png):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "notes.md"
    path.write_text("x\n\n![a](../a.png)\n")
    assert all(segment.kind == "text" for segment in read(path).segments)


def test_text_is_parted_at_empty_lines(tmp_path, read):
    path = tmp_path / "rip_saw.txt"
    path.write_bytes(b"Sharpening\r\n\r\nFile each tooth.\r\nTurn.\r\n \r\nThe end.")
    document = read(path)
    assert document.title == "Sharpening"
    assert [s.text for s in document.segments] == ["Sharpening", "File each tooth.\nTurn.", "The end."]


def test_text_that_is_not_utf8_is_read_as_windows_1252(tmp_path, read):
    path = tmp_path / "x.txt"
    path.write_bytes("Säge – „grob“".encode("cp1252"))
    assert read(path).segments[0].text == "Säge – „grob“"


def test_a_picture_of_more_pixels_than_allowed_is_not_decoded(tmp_path, read, png):
    (tmp_path / "large.png").write_bytes(png(200, 100))
    with pytest.raises(ReadError, match="200 x 100 pixels, more than 19,999"):
        read(tmp_path / "large.png", limits=ReadLimits(max_pixels=19_999))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_picture_files_are_documents_of_one_figure(tmp_path, read, png, kind):
    path = tmp_path / f"rip_saw.{kind.lower()}"
    path.write_bytes(png(50, 30, kind=kind))
    document = read(path)
    assert document.title == "rip saw"
    assert document.metadata == {"type": "image", "width": 50, "height": 30}
    assert document.id == document_id(path.name)
    with Image.open(document.segments[0].picture.path) as image:
        assert image.format in ("PNG", "JPEG")
        assert image.size == (50, 30)


def test_the_orientation_a_camera_noted_is_applied(tmp_path, read):
    image = Image.new("RGB", (40, 20), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    image.save(path, exif=exif)
    assert (read(path).metadata["width"], read(path).metadata["height"]) == (20, 40)


def test_sixteen_bit_pictures_keep_their_shades(tmp_path, read):
    image = Image.new("I;16", (40, 40), 1000)
    image.paste(60000, (0, 0, 20, 40))
    path = tmp_path / "scan.png"
    image.save(path)
    with Image.open(read(path).segments[0].picture.path) as kept:
        assert (kept.getpixel((5, 5)), kept.getpixel((35, 5))) == (255, 0)


def test_transparent_colours_are_shown_on_white_when_a_picture_is_encoded_anew(tmp_path, read):
    path = tmp_path / "logo.webp"
    Image.new("RGBA", (40, 40), (200, 0, 0, 0)).save(path, lossless=True)
    with Image.open(read(path).segments[0].picture.path) as kept:
        assert kept.convert("RGB").getpixel((9, 9)) == (255, 255, 255)


def test_large_pictures_are_reduced(tmp_path, read):
    path = tmp_path / "wide.png"
    Image.new("L", (4000, 1000), 128).save(path)
    assert (read(path).metadata["width"], read(path).metadata["height"]) == (1600, 400)


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that claims to be huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("zero.html", b"", r"is empty \(0 bytes\)"),
        ("bomb.png", bomb(50_000, 50_000), "more than 50,000,000"),
        ("not.png", b"just words", "named .png, but it is not a picture"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0", "not a picture, or a damaged one"),
        ("not.pdf", b"just words", "named .pdf, but it is not a PDF"),
        ("data.txt", bytes(range(256)), "binary data, not text"),
        ("data.xyz", b"words", "files named .xyz are not read"),
        ("letter.docx", b"PK\x03\x04zip", "a ZIP file that is cut off, or damaged"),
        ("blank.txt", b" \n\n ", "holds no text"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[:9] else "",
)
def test_files_that_cannot_be_read_are_refused_with_name_and_reason(tmp_path, read, name, data, reason):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ReadError, match=reason) as caught:
        read(path)
    assert caught.value.source == name
    assert caught.value.remedy


def test_missing_files_folders_and_large_files_are_refused(tmp_path, read):
    with pytest.raises(ReadError, match="no such file"):
        read(tmp_path / "gone.pdf")
    with pytest.raises(ReadError, match="not a plain file"):
        read(tmp_path)
    (tmp_path / "large.txt").write_bytes(b"a" * (2**20 + 1))
    with pytest.raises(ReadError, match="more than the limit of 1 MB"):
        read(tmp_path / "large.txt", limits=ReadLimits(max_file_mb=1))


def test_content_decides_over_the_name(tmp_path, read, pdf, at, png):
    (tmp_path / "really-pdf.html").write_bytes(pdf(at(72, 700, "Inside a PDF")))
    document = read(tmp_path / "really-pdf.html")
    assert document.metadata["type"] == "pdf"
    assert document.warnings == ("named .html, but it is a PDF; read as such",)
    (tmp_path / "really-html.pdf").write_bytes(b"<!DOCTYPE html><p>words</p>")
    assert read(tmp_path / "really-html.pdf").warnings == (
        "named .pdf, but it is an HTML page; read as such",
    )
    (tmp_path / "picture.jpg").write_bytes(png())
    assert read(tmp_path / "picture.jpg").warnings == ()


def test_text_about_html_is_not_html(tmp_path, read):
    (tmp_path / "howto.txt").write_bytes(b"<html> begins every page.")
    assert read(tmp_path / "howto.txt").metadata["type"] == "text"


def test_animations_give_their_first_frame(tmp_path, read):
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    (tmp_path / "moving.gif").write_bytes(buffer.getvalue())
    with Image.open(read(tmp_path / "moving.gif").segments[0].picture.path) as kept:
        assert kept.convert("RGB").getpixel((3, 3)) == (255, 0, 0)


def test_a_file_that_only_speaks_of_pdf_or_packs_one_is_no_pdf(tmp_path, read):
    (tmp_path / "notes.txt").write_text("Every PDF begins with %PDF-1.4 or the like.")
    assert read(tmp_path / "notes.txt").metadata["type"] == "text"
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:  # stored as it is, not compressed
        archive.writestr("a.pdf", b"%PDF-1.4 nothing")
    assert [held.name for held in read(tmp_path / "packed.zip").attachments] == ["a.pdf"]
