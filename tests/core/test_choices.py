import pytest

from ipseg.core.choices import check_choice
from ipseg.core.types import SettingError


def test_a_known_name_passes():
    check_choice("b", {"a": 1, "b": 2}, 'There is no letter "{}"')
    check_choice("b", iter(["a", "b"]), 'There is no letter "{}"')


@pytest.mark.parametrize("value", ["c", "", None, 1])
def test_an_unknown_name_is_refused_with_the_known_ones(value, one_message):
    with pytest.raises(SettingError, match="choose one of: a, b") as caught:
        check_choice(value, ("a", "b"), 'There is no letter "{}"')
    one_message(caught.value, names=f'There is no letter "{value}"')
