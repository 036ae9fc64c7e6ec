"""What plait-mini shows as the reason is the reason: without it, similarity falls further.

`benchmarks/search/explaining.py` measures the same in libraries of thousands of units.
"""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from plait.encode.mini import MiniEncoder
from plait.schema import Passage, Query, Unit
from plait.search.explaining.heat import heat
from plait.search.explaining.words import matched_words

CASES = {
    "how do I stop water from dripping": (
        "The kitchen sink has two handles. When the washer in the faucet is worn out, drops keep falling "
        "into the basin at night. Close the main supply first, then open the housing with a wrench and put a "
        "new rubber ring in. Keep the screws in a cup so that none is lost on the floor of the room."
    ),
    "photograph stars at night": (
        "Choose a tripod that does not shake in the wind. Astronomy asks for long exposure and a wide lens, "
        "because the sky is dark and the camera must collect light for half a minute. Bring warm clothes, "
        "tea and a friend, and write down the number of the bus that goes home after the session."
    ),
    "ship goods across the ocean": (
        "The office opens at nine and the clerk has the forms. Freight leaves the harbour on container "
        "vessels every week and reaches the other coast after twenty days at sea. Insurance is paid at the "
        "counter on the left. Visitors may leave their bicycles behind the red building near the gate."
    ),
}


@pytest.fixture(scope="module")
def encoder():
    return MiniEncoder.load(threads=1)


def unit(text):
    return Unit("d:0", "d", 0, "Handbook", passages=(Passage(text),))


def without(text, places):
    left = list(text)
    for start, end in places:
        left[start:end] = " " * (end - start)
    return "".join(left)


def test_the_strongest_words_are_missed_more_than_others(encoder):
    chance = random.Random(1)
    for question, passage in CASES.items():
        asked = encoder.encode_query(Query.of(question))
        products = encoder.word_products(asked, unit(passage), passage)
        found = sorted(matched_words(passage, {}, products), key=lambda word: -word.weight)[:5]
        others = [chance.sample([(start, end) for start, end, _ in products], 5) for _ in range(3)]
        texts = [passage, without(passage, [(w.start, w.end) for w in found])]
        texts += [without(passage, places) for places in others]

        said = encoder.encode_units([unit(text) for text in texts])
        scores = [float(one.fields["text"][0, 0] @ asked.fields["text"][0, 0]) for one in said]

        falls = [scores[0] - score for score in scores[1:]]
        assert falls[0] > max(falls[1:]), question


def test_tokens_stand_where_the_encoder_says(encoder):
    passage = "Naïve façades — filters, 10 µm."
    asked = encoder.encode_query(Query.of("filters"))
    found = encoder.word_products(asked, unit(passage), passage)

    start, end, _ = max(found, key=lambda one: one[2])
    assert passage[start:end] == "filters"
    assert all(0 <= start < end <= len(passage) for start, end, _ in found)
    assert encoder.word_products(encoder.encode_query(Query(images=(drawn("red"),))), unit("a"), "a") == []


def test_the_hottest_fields_are_missed_more_than_others(encoder):
    asked = encoder.encode_query(Query(images=(drawn("blue", corner=None),)))
    query, weights = asked.fields["image_tokens"], asked.weights["image_tokens"]
    usual = np.zeros(query.shape[:2], np.float32)
    rows, columns = encoder.token_grid("image_tokens")
    tokens = tokens_of(encoder, drawn("blue", corner=(2, 1)))

    found = heat(query, weights, tokens, usual)
    order = np.argsort(-found.values)
    whole, hot, cold = (
        best(query, tokens_of(encoder, drawn("blue", corner=(2, 1), hidden=cells)))
        for cells in ([], order[:4], order[-4:])
    )

    assert rows * columns == len(found.values) == len(tokens)
    assert whole - hot > whole - cold
    assert encoder.token_grid("image") is None


def drawn(colour, *, corner=None, hidden=()):
    """Return stripes all over a picture, or in a quarter of a grey one; of 4 x 4 fields, some are hidden."""
    picture = Image.new("RGB", (224, 224), (128, 128, 128))
    pen = ImageDraw.Draw(picture)
    left, top, size = (0, 0, 224) if corner is None else (56 * corner[0], 56 * corner[1], 112)
    for at in range(0, size, 16):
        pen.rectangle((left, top + at, left + size - 1, top + at + 7), fill=colour)
    for cell in hidden:
        row, column = divmod(int(cell), 4)
        pen.rectangle((56 * column, 56 * row, 56 * column + 55, 56 * row + 55), fill=(128, 128, 128))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def tokens_of(encoder, picture):
    return encoder.encode_query(Query(images=(picture,))).fields["image_tokens"][0]


def best(query, tokens):
    return float((query[0] @ tokens.T).max(axis=1).mean())
