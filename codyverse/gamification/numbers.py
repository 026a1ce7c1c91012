"""The numbers that the game is played with in this process: the defaults, or what the settings put in their place."""

from codyverse.gamification.rules import DEFAULTS, GameNumbers

_in_force = [DEFAULTS]


def numbers() -> GameNumbers:
    """The numbers in force."""
    return _in_force[0]


def play_with(chosen: GameNumbers) -> None:
    """Put these numbers in force; once at the start of a process. Awards of the past stay as they are."""
    _in_force[0] = chosen
