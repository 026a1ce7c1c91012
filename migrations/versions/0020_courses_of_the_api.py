"""courses of the API: the document that was sent, and a version that each write raises"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("courses", sa.Column("version", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("courses", sa.Column("source", postgresql.JSONB(none_as_null=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_courses_source"), "courses", "(origin = 'api') = (source is not null)"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_courses_source"), "courses", type_="check")
    op.drop_column("courses", "source")
    op.drop_column("courses", "version")
