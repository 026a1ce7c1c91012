"""What somebody brings along from another site, checked by the rules that registration and settings use."""

from collections.abc import Mapping
from typing import Any

from codyverse.accounts import services
from codyverse.accounts.profiles import SHOWABLE, faults_of_handle
from codyverse.accounts.queries import INTENSITIES, MECHANICS, STREAK_MODES, THEMES
from codyverse.core.errors import Invalid

LOCALES = ("en",)
_CHOICES: dict[str, tuple[Any, ...]] = {
    "goal_intensity": INTENSITIES,
    "theme": THEMES,
    "streak_mode": STREAK_MODES,
    "reduced_motion": (True, False),
    "leagues": (True, False),
}


def checked_person(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of `users` with address and name in their normal form. Raises Invalid with every fault."""
    clean = services.gathered(
        email=lambda: services.clean_email(row["email"]),
        display_name=lambda: services.clean_name(row["display_name"]),
        time_zone=lambda: services.clean_zone(row["time_zone"]),
        locale=lambda: one_of("locale", row["locale"], LOCALES),
        day_start_hour=lambda: one_of("day_start_hour", row["day_start_hour"], range(24)),
        preferences=lambda: _preferences(row["preferences"]),
    )
    return dict(row) | clean


def check_zone(row: Mapping[str, Any]) -> None:
    """A row of `zone_facts`. Raises Invalid."""
    services.gathered(
        time_zone=lambda: services.clean_zone(row["time_zone"]),
        day_start_hour=lambda: one_of("day_start_hour", row["day_start_hour"], range(24)),
    )


def check_page(row: Mapping[str, Any]) -> None:
    """A row of `public_profiles`. Raises Invalid."""
    if faults := faults_of_handle(row["handle"]):
        raise Invalid({"handle": faults})
    some_of("shown", row["shown"], SHOWABLE)


def one_of(name: str, given: Any, choices: tuple[Any, ...] | range) -> Any:
    """The value, if it is one of these and of their kind: true is not 1. Raises Invalid."""
    if not any(given == each and type(given) is type(each) for each in choices):
        listed = f"{choices[0]} to {choices[-1]}" if isinstance(choices, range) else _listed(choices)
        raise Invalid({name: [f"It is one of {listed}."]})
    return given


def some_of(name: str, given: Any, choices: tuple[str, ...]) -> None:
    """A list of some of these. Raises Invalid."""
    if not isinstance(given, list) or not all(isinstance(each, str) and each in choices for each in given):
        raise Invalid({name: [f"It is a list of {_listed(choices)}."]})


def _preferences(given: Any) -> Any:
    if not isinstance(given, dict):
        raise Invalid({"preferences": ["They are choices by name."]})
    for name, value in given.items():
        if name == "hidden":
            some_of("preferences.hidden", value, MECHANICS)
        elif name in _CHOICES:
            one_of(f"preferences.{name}", value, _CHOICES[name])
        else:
            raise Invalid({f"preferences.{name}": ["There is no such choice here."]})
    return given


def _listed(choices: tuple[Any, ...]) -> str:
    return ", ".join("true" if each is True else "false" if each is False else str(each) for each in choices)
