"""reported attempts: a lesson that another program says was finished"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "attempts", sa.Column("reported", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_attempts_reported"), "attempts", "not reported or completed_at is not null"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_attempts_reported"), "attempts", type_="check")
    op.drop_column("attempts", "reported")
