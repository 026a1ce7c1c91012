"""how many accounts there are is kept, so that a list of them need not count them all"""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0083"
branch_labels = None
depends_on = None

_COUNT = """
create function count_accounts() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into account_counts (role, people)
        select role, count(*) from changed group by role order by role
        on conflict (role) do update set people = account_counts.people + excluded.people;
    elsif tg_op = 'DELETE' then
        update account_counts set people = account_counts.people - gone.number
        from (select role, count(*) as number from changed group by role) as gone
        where gone.role = account_counts.role;
    elsif tg_op = 'TRUNCATE' then
        delete from account_counts;
    else
        update account_counts set people = people - 1 where role = old.role;
        insert into account_counts (role, people) values (new.role, 1)
        on conflict (role) do update set people = account_counts.people + 1;
    end if;
    return null;
end $$
"""
_TRIGGERS = (
    (
        "create trigger accounts_added after insert on users referencing new table as changed "
        "for each statement execute function count_accounts()"
    ),
    (
        "create trigger accounts_gone after delete on users referencing old table as changed "
        "for each statement execute function count_accounts()"
    ),
    "create trigger accounts_emptied after truncate on users for each statement execute function count_accounts()",
    (
        "create trigger accounts_changed after update of role on users for each row "
        "when (old.role is distinct from new.role) execute function count_accounts()"
    ),
)


def upgrade() -> None:
    op.create_table(
        "account_counts",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("people >= 0", name=op.f("ck_account_counts_people")),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_account_counts")),
    )
    op.execute(_COUNT)
    for trigger in _TRIGGERS:
        op.execute(trigger)
    op.execute("insert into account_counts (role, people) select role, count(*) from users group by role")


def downgrade() -> None:
    for name in ("added", "gone", "emptied", "changed"):
        op.execute(f"drop trigger accounts_{name} on users")
    op.execute("drop function count_accounts()")
    op.drop_table("account_counts")
