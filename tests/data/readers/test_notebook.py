"""Jupyter notebooks, as JSON."""

from __future__ import annotations

import base64
import json

import pytest
from tests.helpers.damage import outcomes

from plait.data.readers.base import ReadLimits
from plait.data.readers.office.notebook import read_notebook
from plait.errors import ReadError


@pytest.fixture
def write(tmp_path):
    """Write a notebook of format 4 from its cells."""

    def run(*cells, **more):
        path = tmp_path / "saw_teeth.ipynb"
        path.write_text(
            json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **more})
        )
        return path

    return run


def markdown(*lines, **more):
    return {"cell_type": "markdown", "metadata": {}, "source": list(lines), **more}


def code(source, *outputs):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": outputs, "execution_count": 1}


def shown(**forms):
    kinds = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html", "text": "text/plain"}
    data = {kinds[name]: value for name, value in forms.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def encoded(data):
    return base64.b64encode(data).decode()


def test_text_and_code_stand_in_order_under_their_headings(read, write):
    path = write(
        markdown("# Saws\n", "\n", "Cut *wood*, a &lt; b."),
        code(
            ["teeth = 5\n", "if teeth:\n", "    print(teeth)"],
            {"output_type": "stream", "name": "stdout", "text": "5\n6\n"},
        ),
        markdown("## Files"),
        {"cell_type": "raw", "metadata": {}, "source": "as typed"},
        metadata={"kernelspec": {"language": "python"}, "authors": [{"name": "Ann"}, {"name": "Bob"}]},
    )
    document = read(path)
    assert document.title == "Saws"
    assert document.metadata == {"type": "notebook", "code_language": "python", "author": "Ann, Bob"}
    assert [(s.text, s.role, s.section, s.anchor) for s in document.segments] == [
        ("Saws", "body", ("Saws",), "cell-1"),
        ("Cut wood, a < b.", "body", ("Saws",), "cell-1"),
        ("teeth = 5\nif teeth:\n    print(teeth)", "code", ("Saws",), "cell-2"),
        ("5\n6", "body", ("Saws",), "output-1"),
        ("Files", "body", ("Saws", "Files"), "cell-3"),
        ("as typed", "body", ("Saws", "Files"), "cell-4"),
    ]


def test_plots_are_figures_captioned_by_their_titles(read, write, png):
    path = write(
        code("plt.title('Teeth per inch')", shown(png=encoded(png()), text="<Figure size 640x480>")),
        code(
            "#| fig-cap: Wear of files\n#| fig-alt: a curve\nplot(title='x')", shown(png=encoded(png(50, 50)))
        ),
        code(
            "a.set_title('One'); b.set_title(\"Two\")",
            shown(png=[encoded(png(70, 50))]),
            shown(png=encoded(png(80, 50))),
        ),
        code("plot()", shown(png=encoded(png(90, 50)), text="a saw")),
    )
    figures = [s for s in read(path).segments if s.kind == "image"]
    assert [(f.caption, f.text, f.picture.width_px) for f in figures] == [
        ("Teeth per inch", "", 60),
        ("Wear of files", "a curve", 50),
        ("One", "", 70),
        ("Two", "", 80),
        ("", "a saw", 90),
    ]


def test_drawings_are_drawn(read, write):
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><rect width="30" height="30"/></svg>'
    )
    (_, figure) = read(write(code("draw()", shown(svg=drawing)))).segments
    assert figure.kind == "image"
    assert figure.picture.width_px >= 60


def test_data_frames_are_tables(read, write):
    table = (
        "<div><style>td {color: red}</style><table><thead><tr><th></th><th>price</th></tr></thead><tbody>"
        "<tr><th>0</th><td>12</td></tr><tr><th>1</th><td>7</td></tr></tbody></table><p>2 rows</p>"
    )
    path = write(code("frame", shown(html=table, text="  price\n0 12")), markdown("after"))
    document = read(path)
    assert [s.kind for s in document.segments] == ["text", "table", "text", "text"]
    assert document.segments[1].rows == (("", "price"), ("0", "12"), ("1", "7"))
    assert document.segments[1].header_rows == 1
    assert document.segments[-1].text == "after"


def test_pictures_attached_to_a_cell_are_figures(read, write, png):
    cell = markdown(
        "see ![teeth](attachment:my%20saw.png)", attachments={"my saw.png": {"image/png": encoded(png())}}
    )
    figure = read(write(cell)).segments[-1]
    assert (figure.kind, figure.text, figure.picture.width_px) == ("image", "teeth", 60)


def test_pictures_beside_the_notebook_are_found_and_no_others(read, write, png, tmp_path):
    path = write(
        markdown("![a](a.png) ![b](../b.png) ![c](https://example.org/c.png) ![d](notebook-picture-7)")
    )
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path.parent / "b.png").write_bytes(png(50, 50))
    document = read(path)
    assert [s.text for s in document.segments if s.kind == "image"] == ["a"]
    assert [warning.partition(": ")[0] for warning in document.warnings] == ["left out 1 picture"] * 3


def test_errors_give_their_message_and_long_outputs_are_shortened(read, write):
    failed = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "\x1b[31mblunt",
        "traceback": ["a"] * 99,
    }
    progress = {"output_type": "stream", "name": "stderr", "text": ["10 %\r", "100 %\n"]}
    flood = {"output_type": "stream", "name": "stdout", "text": "x" * 100_000 + "end"}
    texts = [s.text for s in read(write(code("run()", failed, progress, flood))).segments]
    assert texts[1:3] == ["ValueError: blunt", "100 %"]
    assert len(texts[3]) < 5_100
    assert texts[3].endswith("end")


def test_what_one_cell_leaves_open_does_not_swallow_the_next(read, write):
    path = write(
        markdown("<div><table><tr><td>a <!-- "), code("1", shown(html="<table><tr><td>x")), markdown("after")
    )
    assert read(path).segments[-1].text == "after"


def test_format_3_is_read(read, tmp_path, png):
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Saws"},
        {
            "cell_type": "code",
            "input": "teeth",
            "outputs": [
                {"output_type": "pyout", "text": ["5"]},
                {"output_type": "display_data", "png": encoded(png())},
                {"output_type": "pyerr", "ename": "E", "evalue": "no"},
            ],
        },
    ]
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}))
    document = read(path)
    assert [(s.kind, s.text, s.role) for s in document.segments] == [
        ("text", "Saws", "body"),
        ("text", "teeth", "code"),
        ("text", "5", "body"),
        ("image", "", "body"),
        ("text", "E: no", "body"),
    ]


def test_more_cells_than_the_limit_are_left_out(read, write):
    document = read(write(markdown("a"), markdown("b")), limits=ReadLimits(max_pages=1))
    assert [s.text for s in document.segments] == ["a"]
    assert document.warnings == ("only the first 1 of 2 cells are read",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"cells": [', "is not valid JSON"),
        ("[" * 100_000, "nests too deep"),
        ('{"a": 1}', "is no notebook"),
        ("[1, 2]", "is no notebook"),
        ('{"cells": [{"cell_type": "code"}, 3, null]}', "holds no text"),
    ],
)
def test_other_json_is_refused(read, tmp_path, content, reason):
    path = tmp_path / "a.ipynb"
    path.write_text(content)
    with pytest.raises(ReadError, match=reason):
        read(path)


def test_values_of_other_types_are_passed_over(read, write):
    cell = {
        "cell_type": "code",
        "source": {"a": 1},
        "outputs": [1, {"data": [2], "text": 3}, {"output_type": []}],
    }
    assert [s.text for s in read(write(cell, markdown("kept", attachments=[1]), metadata=5)).segments] == [
        "kept"
    ]


def test_damaged_notebooks_are_read_or_refused(tmp_path, write, png):
    frame = shown(html="<table><tr><th>a</th></tr><tr><td>1</td></tr></table>")
    whole = write(markdown("# A\n", "b"), code("c", shown(png=encoded(png(30, 30))), frame)).read_bytes()
    read, refused = outcomes(read_notebook, whole, tmp_path, ".ipynb")
    assert read + refused == 60
    assert refused > 5
