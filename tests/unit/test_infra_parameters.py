"""docs/deploy.md names every parameter with the template's default."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.azd_parameters import PARAMETERS, asked_for
from scripts.infra_check.contract import settings_read
from shared.errors import InvalidConfiguration
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (`[^`]*`|empty|asked for|filled by azd) \| \S", DOCUMENT, re.MULTILINE))


def variables() -> dict[str, str]:
    """The environment variable of each parameter."""
    given = json.loads(PARAMETERS.read_text(encoding="utf-8"))["parameters"]
    return {name: each["value"].strip("${}") for name, each in given.items()}


def test_every_parameter_is_documented_and_no_other() -> None:
    """docs/deploy.md documents exactly the template's parameters, and azd's own subscription."""
    assert ROWS.keys() - {"AZURE_SUBSCRIPTION_ID"} == asked_for(PARAMETERS.read_text(encoding="utf-8"))


def test_documented_default_is_that_of_the_template() -> None:
    """The documented default of each parameter is the template's; one without is asked for or filled by azd."""
    defaults = dict(re.findall(r"^param (\w+) \S+ = (.+)$", TEMPLATE, re.MULTILINE))
    filled = {"deployerPrincipalId", "deployerPrincipalType"}

    for name, variable in variables().items():
        if name in filled or name not in defaults:
            assert ROWS[variable] in {"asked for", "filled by azd"}, variable
        else:
            plain = defaults[name].strip("'")
            assert ROWS[variable] == (f"`{plain}`" if plain else "empty"), variable


def test_every_output_is_documented() -> None:
    """Every output of the template is documented."""
    outputs = re.findall(r"^output (\w+) ", TEMPLATE, re.MULTILINE)

    assert [name for name in outputs if f"`{name}`" not in DOCUMENT] == []


def test_every_parameter_has_a_description() -> None:
    """Every parameter of the template has a description."""
    for name in variables():
        before = TEMPLATE[: TEMPLATE.index(f"\nparam {name} ")].rpartition("\n\n")[2]
        assert "@description(" in before, name


@pytest.mark.parametrize("kind", ["Queue", "Table"])
def test_names_have_the_lengths_that_the_app_takes(kind: str) -> None:
    """A name that passes the template is one that the app starts with: it would refuse it after the deployment."""
    bounds = re.findall(rf"@minLength\((\d+)\)\n@maxLength\((\d+)\)\n@description.*\nparam (\w+{kind}Name) ", TEMPLATE)

    assert len(bounds) == {"Queue": 3, "Table": 2}[kind]
    for least, most, name in bounds:
        setting = variables()[name]
        assert setting in settings_read()
        for length, is_refused in (
            (int(least) - 1, True),
            (int(least), False),
            (int(most), False),
            (int(most) + 1, True),
        ):
            assert is_named(setting, {setting: "a" * length}) == is_refused, f"{name} of {length}"


def is_named(setting: str, env: dict[str, str]) -> bool:
    """Whether the app names a setting as wrong, whatever else is missing."""
    with pytest.raises(InvalidConfiguration) as refused:
        Settings.from_env(env)
    return any(problem.startswith(f"{setting} ") for problem in refused.value.problems)
