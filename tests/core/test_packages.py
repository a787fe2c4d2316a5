"""What is not installed is one message; any other failed import stays what it is."""

from __future__ import annotations

import pytest

from ipseg.core import packages
from ipseg.core.types import SettingError


def test_a_package_that_is_absent_is_one_message():
    message = r'^The part needs no_such_package, .*"ipseg\[evaluation\]"\.$'
    with pytest.raises(SettingError, match=message), packages.needed("The part", extra="evaluation"):
        import no_such_package  # noqa: F401


def test_a_package_with_another_name_is_named_as_it_is_installed():
    absent = ModuleNotFoundError("No module named 'ot'", name="ot")
    with pytest.raises(SettingError, match="needs pot, which"), packages.needed("Matcher"):
        raise absent
    packages.need("Matcher", "numpy")
    with pytest.raises(SettingError, match=r"^Matcher needs no_such_package, .*models"):
        packages.need("Matcher", "numpy", "no_such_package")


def test_a_missing_module_of_the_project_is_raised_as_it_is():
    with pytest.raises(ModuleNotFoundError, match=r"ipseg\.no_such_module"), packages.needed("The part"):
        import ipseg.no_such_module  # noqa: F401


def test_a_module_or_name_that_an_installed_package_lacks_is_raised_as_it_is():
    with pytest.raises(ModuleNotFoundError, match=r"numpy\.no_such_module"), packages.needed("The part"):
        import numpy.no_such_module  # noqa: F401
    with pytest.raises(ImportError, match="no_such_name"), packages.needed("The part"):
        from numpy import no_such_name  # noqa: F401
