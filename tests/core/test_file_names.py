from itertools import count

from ipseg.core.names import first_free, same_name


def numbered(stem: str):
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def test_names_are_one_where_a_file_system_takes_them_for_one():
    assert same_name("Mu\u0308g.PNG") == same_name("m\u00fcg.png")
    assert same_name("mug.png") != same_name("mug2.png")


def test_the_first_free_name_is_taken():
    taken: set[str] = set()
    found = [first_free(numbered(stem), taken) for stem in ("a", "A", "a-2", "b", "a")]
    assert found == ["a", "A-2", "a-2-2", "b", "a-3"]
