"""what pages read of a learner's whole time stands side by side in an index, however many others wrote in between

Built while the site is in use; again is harmless. An index that takes the place of another is there before that one goes.
"""

from alembic import op

revision = "0101"
down_revision = "0093"
branch_labels = None
depends_on = None

NEW = {
    "ix_activity_days_learned": "activity_days (user_id, local_date) include (lessons) where lessons > 0",
    "ix_users_role_id": "users (role, id)",
}
WIDER = {
    "ix_ledger_entries_user_id_id": (
        "ledger_entries (user_id, id)",
        "(currency, amount, rule, local_date)",
    ),
    "ix_attempts_user_id_completed_at": (
        "attempts (user_id, completed_at)",
        "(id, lesson_id, local_date, score, reported)",
    ),
    "ix_notifications_user_id_id": ("notifications (user_id, id)", "(kind)"),
}
"""Indexes by name: on what, and what is in them from now on besides."""
KEYS = {
    "lesson_progress": (
        "(user_id, lesson_id)",
        "(best_score, completions, first_completed_at, first_local_date, last_completed_at, last_local_date)",
    ),
    "daily_goals": ("(user_id, local_date, slot)", "(kind, target, coins, reached_at)"),
    "earned_badges": ("(user_id, badge)", "(earned_at, local_date, attempt_id)"),
    "streak_repairs": ("(user_id, missed_date)", "(local_date, repaired_at, attempt_id)"),
    "course_completions": ("(user_id, course_id)", "(completed_at, local_date)"),
}
"""Primary keys, the same way: the whole row is in them. These rows change once or never."""
SEEN_SOON = (*KEYS, "ledger_entries", "attempts", "activity_days", "notifications")
"""Only from pages that a vacuum has seen is an index read alone: after 2 % of the rows instead of 20 %."""
_OFTEN = ("autovacuum_vacuum_insert_scale_factor", "autovacuum_vacuum_scale_factor")
ROOM = 85
"""Percent of a page that new steps of attempts fill. All steps of a lesson are written at once and each once more when it
is done; on full pages every sixth had to move to another page then, and so did its entry in the index.
"""


def upgrade() -> None:
    for name, definition in NEW.items():
        _build(name, "index", definition)
    for name, (where, wider) in WIDER.items():
        _replace(name, f"{where} include {wider}")
    for table, (columns, wider) in KEYS.items():
        _replace_key(table, f"{columns} include {wider}")
    op.execute(f"alter table attempt_steps set (fillfactor = {ROOM})")
    for table in SEEN_SOON:
        op.execute(f"alter table {table} set ({', '.join(f'{each} = 0.02' for each in _OFTEN)})")


def downgrade() -> None:
    for table in SEEN_SOON:
        op.execute(f"alter table {table} reset ({', '.join(_OFTEN)})")
    op.execute("alter table attempt_steps reset (fillfactor)")
    for table, (columns, _) in KEYS.items():
        _replace_key(table, columns)
    for name, (where, _) in WIDER.items():
        _replace(name, where)
    with op.get_context().autocommit_block():
        for name in NEW:
            op.execute(f"drop index concurrently if exists {name}")


def _replace(name: str, definition: str) -> None:
    _build(f"{name}_next", "index", definition)
    op.execute(f"drop index {name}")
    op.execute(f"alter index {name}_next rename to {name}")


def _replace_key(table: str, definition: str) -> None:
    _build(f"pk_{table}_next", "unique index", f"{table} {definition}")
    op.execute(
        f"alter table {table} drop constraint pk_{table}, "
        f"add constraint pk_{table} primary key using index pk_{table}_next"
    )


def _build(name: str, kind: str, definition: str) -> None:
    with op.get_context().autocommit_block():
        op.execute(f"drop index concurrently if exists {name}")  # one that was cut off
        op.execute(f"create {kind} concurrently {name} on {definition}")
