"""An embedded PostgreSQL: started for the first who needs it, stopped after the last, whatever happens to them.

::

    from codyverse.core.embedded import EmbeddedPostgresError, acquire, for_process, running, throwaway

    with running(settings.data_dir) as url: ...     # SQLAlchemy URL, for the length of a block
    with acquire(settings.data_dir) as lease: ...   # the same as an object: lease.url, .is_running(), .restore()
    url = for_process(settings.data_dir).url        # until this process ends (one lease per process and folder)
    with throwaway() as url: ...                    # tests: fresh, fast, forgetful, removed at the end
    programs.find().path("pg_dump")                 # PostgreSQL's own programs

The server listens on a Unix socket in a closed folder only. ``url`` signs in as the role ``codyverse``, who owns the
database ``codyverse``, may create databases and read statistics, and is no superuser (that is ``postgres``).
Every failure is an EmbeddedPostgresError whose text is one plain sentence for the person at the keyboard.
Why it is done this way: docs/decisions/embedded-postgresql.md.
"""

from codyverse.core.embedded import programs
from codyverse.core.embedded.errors import EmbeddedPostgresError
from codyverse.core.embedded.lease import Lease, acquire, for_process, running, throwaway

__all__ = ["EmbeddedPostgresError", "Lease", "acquire", "for_process", "programs", "running", "throwaway"]
