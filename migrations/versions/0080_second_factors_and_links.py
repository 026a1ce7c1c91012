"""second factors, recovery codes, keys that work once; addresses that are confirmed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0080"
down_revision = "0072"
branch_labels = None
depends_on = None


def when(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def of_a_person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id"), ondelete="CASCADE"
    )


def upgrade() -> None:
    op.add_column("users", when("email_verified_at"))
    op.add_column("users", when("password_changed_at"))
    # Until now nobody was asked to confirm an address: who is here already keeps getting the mails that they chose.
    op.execute("update users set email_verified_at = created_at where deactivated_at is null")
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default="0", nullable=False),
        when("created_at", nullable=False),
        when("confirmed_at"),
        of_a_person("second_factors"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        when("created_at", nullable=False),
        when("used_at"),
        of_a_person("recovery_codes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index("uq_recovery_codes_code_hash", "recovery_codes", ["code_hash"], unique=True)
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    _one_time_keys()


def _one_time_keys() -> None:
    op.create_table(
        "one_time_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(none_as_null=True),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        when("created_at", nullable=False),
        when("expires_at", nullable=False),
        when("used_at"),
        of_a_person("one_time_keys"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_keys")),
    )
    op.create_index("uq_one_time_keys_key_hash", "one_time_keys", ["key_hash"], unique=True)
    op.create_index("ix_one_time_keys_user_id", "one_time_keys", ["user_id"])
    op.create_index("ix_one_time_keys_expires_at", "one_time_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_table("one_time_keys")
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
    op.drop_column("users", "password_changed_at")
    op.drop_column("users", "email_verified_at")
