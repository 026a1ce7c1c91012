"""what pages read of a learner's whole time stands side by side in an index, however many others wrote in between

Built while the site is in use; again is harmless. An index that takes the place of another is there before that one goes.
"""

from alembic import op

revision = "0101"
down_revision = "0090"
branch_labels = None
depends_on = None

NEW = {
    "ix_activity_days_learned": "activity_days (user_id, local_date) include (lessons) where lessons > 0",
    "ix_users_role_id": "users (role, id)",
}
WIDER = {
    "uq_ledger_entries_once": (
        "unique index",
        "ledger_entries (user_id, currency, rule, source)",
        "(amount)",
    ),
    "ix_attempts_user_id_completed_at": (
        "index",
        "attempts (user_id, completed_at)",
        "(id, lesson_id, local_date, score, reported)",
    ),
}
"""Indexes by name: what they are, on what, and what is in them from now on besides."""
STANDING = (
    "(best_score, completions, first_completed_at, first_local_date, last_completed_at, last_local_date)"
)
SEEN_SOON = ("ledger_entries", "attempts", "lesson_progress", "activity_days")
"""Only from pages that a vacuum has seen is an index read alone: after 2 % of the rows instead of 20 %."""
_OFTEN = ("autovacuum_vacuum_insert_scale_factor", "autovacuum_vacuum_scale_factor")


def upgrade() -> None:
    for name, definition in NEW.items():
        _build(name, "index", definition)
    for name, (kind, where, wider) in WIDER.items():
        _replace(name, kind, f"{where} include {wider}")
    _replace_key(f"include {STANDING}")
    for table in SEEN_SOON:
        op.execute(f"alter table {table} set ({', '.join(f'{each} = 0.02' for each in _OFTEN)})")


def downgrade() -> None:
    for table in SEEN_SOON:
        op.execute(f"alter table {table} reset ({', '.join(_OFTEN)})")
    _replace_key("")
    for name, (kind, where, _) in WIDER.items():
        _replace(name, kind, where)
    with op.get_context().autocommit_block():
        for name in NEW:
            op.execute(f"drop index concurrently if exists {name}")


def _replace(name: str, kind: str, definition: str) -> None:
    _build(f"{name}_next", kind, definition)
    op.execute(f"drop index {name}")
    op.execute(f"alter index {name}_next rename to {name}")


def _replace_key(include: str) -> None:
    _build("pk_lesson_progress_next", "unique index", f"lesson_progress (user_id, lesson_id) {include}")
    op.execute(
        "alter table lesson_progress drop constraint pk_lesson_progress, "
        "add constraint pk_lesson_progress primary key using index pk_lesson_progress_next"
    )


def _build(name: str, kind: str, definition: str) -> None:
    with op.get_context().autocommit_block():
        op.execute(f"drop index concurrently if exists {name}")  # one that was cut off
        op.execute(f"create {kind} concurrently {name} on {definition}")
