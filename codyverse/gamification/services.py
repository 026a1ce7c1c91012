"""Writes of the game: players, today's goals, proving and mending the sums. Add and flush, never commit.

Rewards are paid by the effects in `effects.py`, called in the order that `wiring.py` gives.
"""

from sqlalchemy.dialects.postgresql import insert as pg_insert

from codyverse.accounts.events import UserRegistered
from codyverse.accounts.game_days import game_date_for
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.gamification.audit import Change, Difference, rebuild_batch, rebuild_ledger, verify_ledger
from codyverse.gamification.badges import Granted, learners, sync_badges, would_grant
from codyverse.gamification.goals import ensure_goals
from codyverse.gamification.models import Player

__all__ = [
    "Change",
    "Difference",
    "Granted",
    "ensure_goals",
    "keep_todays_goals",
    "learners",
    "on_user_registered",
    "rebuild_batch",
    "rebuild_ledger",
    "sync_badges",
    "verify_ledger",
    "would_grant",
]


def on_user_registered(event: UserRegistered) -> None:
    """Give a new account its player, at nought. Again is harmless."""
    session.execute(pg_insert(Player).values(user_id=event.user_id).on_conflict_do_nothing())


def keep_todays_goals(user_id: int) -> None:
    """Set today's goals as they are shown now, before a setting changes that they depend on. Again is harmless."""
    ensure_goals(user_id, game_date_for(user_id, now()))
