"""The table of exports that were asked for."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base
from codyverse.core.personal import Personal, register


class PreparedExport(Base):
    """One person's export, at most one each: asked for (`waiting`), being prepared (`running`), there to be fetched (`ready`), not made
    (`failed`) or deleted by time (`over`).

    Both forms of it, the archive and the rows by table, are of the same moment, and sealed: a dump of the database holds nothing
    of it that could be read.
    """

    __tablename__ = "prepared_exports"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'running', 'ready', 'failed', 'over')", name="state"),
        CheckConstraint(
            "(state = 'ready') = (archive is not null and tables is not null and keep_until is not null)",
            name="ready_is_whole",
        ),
        Index(
            "ix_prepared_exports_asked_at",
            "asked_at",
            postgresql_where=text("state in ('waiting', 'running')"),
        ),
    )

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    state: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(SmallInteger)
    prepared_at: Mapped[datetime | None]
    keep_until: Mapped[datetime | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    archive: Mapped[bytes | None] = mapped_column(LargeBinary)
    tables: Mapped[bytes | None] = mapped_column(LargeBinary)


register(Personal("prepared_exports", gone="deleted", stays=True, told=False))
