"""Options of `python app.py` that are refused."""

from __future__ import annotations

import pytest

from ipseg.ui import serving


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--auth", "ada"), "a user and a password"),
        (("--auth", "ada:secret", "--mcp"), "do not go together"),
        (("--max-queue", "0"), "give 1 or more"),
        (("--max-seconds", "0"), "give 1 to 86400"),
        (("--preset", "magic"), "invalid choice"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        serving.arguments(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
