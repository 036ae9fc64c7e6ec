"""Stems by language, checked by hand; words that inflect or lack their accents meet in one term."""

from __future__ import annotations

import pytest
import Stemmer

from plait.errors import InputError
from plait.index.languages import bare, language_named
from plait.index.lexical import term_counts, words


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("german", "Haus Häuser Hauses HÄUSERN Haeuser Hauser"),
        ("german", "Über über Uber ueber"),
        ("german", "Straße Strasse STRASSE"),
        ("french", "élève Élèves eleve"),
        ("french", "cafe café cafés"),
        ("french", "eau l'eau l’eau d'eau"),
        ("italian", "acqua dell'acqua L’ACQUA"),
        ("catalan", "aigua l'aigua d’aigua"),
        ("catalan", "col·lecció coŀlecció collecció"),
        ("spanish", "canción canciones cancion"),
        ("spanish", "año ano"),
        ("portuguese", "ação acao"),
        ("swedish", "häst hästarna hast"),
        ("danish", "købe kob"),
        ("norwegian", "bøker boker"),
        ("dutch", "huis huizen"),
        ("finnish", "talo talossa taloissa"),
        ("polish", "Łódź lodz"),
        ("czech", "příklad příklady priklady"),
        ("romanian", "țară ţară tara"),
        ("russian", "книга книги КНИГУ"),
        ("russian", "ёлка елка"),
        ("greek", "λόγος ΛΟΓΟΣ λογος"),
        ("serbian", "књига knjiga"),
        ("turkish", "ISPARTA ısparta isparta"),
        ("turkish", "KIZLARIN kızların"),
        ("turkish", "İzmir izmir"),
        ("arabic", "كتاب الكتاب كِتَاب"),
        ("hindi", "किताब किताबें"),
        ("tamil", "வீடு வீடுகள்"),
        ("nepali", "किताब किताबहरू"),
    ],
)
def test_these_words_are_one_term(language, text):
    assert len(set(words(text, language=language))) == 1


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "german",
            "Die Bücher und 2.10 mein_Baum v2",
            ["die", "buch", "und", "2.10", "mein_baum", "mein", "baum", "v2"],
        ),
        ("french", "les chevaux", ["le", "cheval"]),
        ("spanish", "las comunicaciones", ["las", "comun"]),
        ("russian", "чай running", ["ча", "running"]),
        ("greek", "σπίτια", ["σπιτ"]),
        ("none", "Häuser d'élèves running don’t", ["häuser", "d'élèves", "running", "don't"]),
        ("english", "cafés running", ["café", "run"]),
        ("english", "wo\u0331rds", ["wo\u0331rds"]),
        ("english", "_größe_", ["grösse"]),
        ("german", "_größe_", ["grosse"]),
        ("german", "画像の検索", ["画像", "像の", "の検", "検索"]),
    ],
)
def test_words_by_language(language, text, expected):
    assert words(text, language=language) == expected


def test_a_word_with_a_digit_keeps_its_ending_but_not_its_accents():
    assert words("Größen2 größe_übersicht", language="de") == [
        "grossen2",
        "grosse_ubersicht",
        "gross",
        "ubersicht",
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("œuvre", "oeuvre"),
        ("smørrebrød", "smorrebrod"),
        ("ďáblíček", "dablicek"),
        ("мой", "мой"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_accents_are_those_of_latin_and_greek_letters(word, expected):
    assert bare(word, "russian") == expected


@pytest.mark.parametrize("language", sorted(Stemmer.algorithms()))
def test_every_language_of_snowball_can_be_chosen(language):
    hashes, _, length = term_counts("one two", language=language)
    assert len(hashes) == length == 2


@pytest.mark.parametrize(
    ("name", "expected"), [("de", "german"), (" DE ", "german"), ("German", "german"), ("nb", "norwegian")]
)
def test_a_language_goes_by_its_name_or_code(name, expected):
    assert language_named(name) == expected


@pytest.mark.parametrize("name", ["klingon", "", "xx", "auto"])
def test_an_unknown_language_is_refused_with_the_choices(name):
    with pytest.raises(InputError, match=rf"'{name}': choose one of arabic \(ar\), .*german \(de\).*, none"):
        words("text", language=name)


def test_every_language_but_two_algorithms_has_a_code():
    codes = "ar hy eu ca cs da nl en eo et fi fr de el hi hu id ga it lt ne no fa pl pt ro ru sr st es sv ta"
    named = {language_named(code) for code in [*codes.split(), "tr", "yi"]}
    assert named == set(Stemmer.algorithms()) - {"porter", "dutch_porter"}
