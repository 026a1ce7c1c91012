"""What granian loads under `flask serve`: the application, in a worker that never outlives its parent."""

from codyverse import create_app
from codyverse.core.processes import end_with_parent

end_with_parent()
app = create_app()
