"""What follows in a listing, apart from case."""

from __future__ import annotations

import sys

from hypothesis import example, given
from hypothesis import strategies as st

from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.planning.look_ahead import LookAhead, first_name

LETTERS = "aAsSß\u017ft\ufb05Kk\u212a.-\0"
NAMES = st.text(LETTERS, max_size=4)


@given(st.lists(NAMES, max_size=30), NAMES, NAMES)
@example(["\ufb05."], "SS", "st")
def test_nothing_that_fits_is_passed_over(names, least, beginning):
    """Whatever names there are: none that fits lies before the first possible one."""
    beginning = beginning.casefold().replace(".", "") + "."
    first = first_name(least, beginning)
    fitting = [one for one in names if one >= least and one.casefold().startswith(beginning)]
    assert first is None or (first >= least and first.casefold().startswith(beginning))
    assert all(first is not None and first <= one for one in fitting)


def test_the_first_of_all_spellings():
    assert first_name("DSC_1.NEF\0", "dsc_1.") == "DSC_1.NEF\0"
    assert first_name("DSC_2.NEF", "dsc_1.") == "DSc_1."
    assert first_name("D\u017fC", "dsc_1.") == "D\u017fC_1."
    assert first_name("strasse", "straße.".casefold()) == "strasse."
    assert first_name("strat", "straße.".casefold()) == "straß" + "E."
    assert first_name("e", "dsc_1.") is None


def test_unicode_has_no_case_beyond_what_is_looked_at():
    from enhance_cli.cloud.planning import look_ahead

    beyond = map(chr, range(look_ahead._LAST_WITH_CASE, sys.maxunicode + 1))
    assert all(char.casefold() == char for char in beyond)
    folded = [char.casefold() for char in map(chr, range(sys.maxunicode + 1))]
    assert max(map(len, folded)) == look_ahead._LONGEST
    assert all("." not in one and "-" not in one for one in set(folded) - {".", "-"})


@given(st.sets(st.text("aAbB1.", min_size=1, max_size=5).map("{}.jpg".format)), NAMES, NAMES)
def test_a_store_is_asked_until_it_is_known(names, after, beginning):
    beginning = f"{beginning.casefold().replace('.', '')}."
    after = after.replace("\0", "")
    ordered = sorted(one for one in names if not one.startswith("."))
    ahead = LookAhead(lambda name: [one for one in ordered if one > name][:2])
    expected = any(one > after and one.casefold().startswith(beginning) for one in ordered)
    assert ahead.may_come(after, beginning) == expected


def test_what_is_no_photo_of_the_folder_does_not_count():
    names = ["dsc_1.xmp", "dsc_1.d/a.jpg", "dsc_1.jpg"]
    listed = sorted(names[:2])
    ahead = LookAhead(lambda name: [one for one in listed if one > name])
    assert not ahead.may_come("DSC_1.NEF", "dsc_1.")
    listed = sorted(names)
    ahead = LookAhead(lambda name: [one for one in listed if one > name])
    assert ahead.may_come("DSC_1.NEF", "dsc_1.")


def test_a_store_that_cannot_be_asked():
    ahead = LookAhead(lambda _name: None)
    assert ahead.may_come("DSC_1.NEF", "dsc_1.") and ahead.gave_up


def test_the_names_in_a_folder_on_a_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("enhance_cli.cloud.local_folder._PAGE", 2)
    for name in ("c", "a", "b", "d"):
        (tmp_path / "sub" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sub" / name).touch()
    folder = LocalFolder(tmp_path, "out")
    assert folder.names_after("sub", "a") == ["b", "c"]
    assert folder.names_after("sub", "d") == []
    assert folder.names_after("missing", "d") is None


def test_the_names_in_a_folder_of_a_bucket(s3, bucket):
    from enhance_cli.cloud.places import open_store

    for key in ("f/a#1.jpg", "f/b[1].jpg", "f/é%25.jpg", "f/s/x", "g/a"):
        s3.put_object(Bucket=bucket[5:], Key=f"in/{key}", Body=b"")
    store = open_store(f"{bucket}/in")
    assert store.names_after("f", "a#1") == ["a#1.jpg", "b[1].jpg", "s/x", "é%25.jpg"]
    assert store.names_after("f", "b[1].jpg") == ["s/x", "é%25.jpg"]
    assert store.names_after("f", "é%26") == []
    assert store.names_after("", "f/é") == ["f/é%25.jpg", "g/a"]
