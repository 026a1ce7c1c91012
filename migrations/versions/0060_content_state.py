"""the content's version: one name that every write to courses replaces, so that what is kept of them is never stale"""

from alembic import op

revision = "0060"
down_revision = "0040"
branch_labels = None
depends_on = None

TABLES = ("courses", "modules", "lessons", "steps")


def upgrade() -> None:
    op.execute(
        "create table content_state ("
        "id smallint not null default 1, version uuid not null default gen_random_uuid(), "
        "constraint pk_content_state primary key (id), "
        "constraint ck_content_state_only_one check (id = 1))"
    )
    op.execute("insert into content_state default values")
    op.execute(
        "create function content_has_changed() returns trigger language plpgsql as "
        "$$ begin update content_state set version = gen_random_uuid(); return null; end $$"
    )
    for table in TABLES:
        op.execute(
            f"create trigger content_has_changed after insert or update or delete or truncate on {table} "
            "for each statement execute function content_has_changed()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop trigger content_has_changed on {table}")
    op.execute("drop function content_has_changed()")
    op.execute("drop table content_state")
