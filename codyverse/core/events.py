"""Facts that travel upwards: a lower domain publishes, a higher one handles, in the same transaction.

`wiring.py` is the only caller of `subscribe`, once per process. Handlers swallow nothing: if one raises, the
unit of work is rolled back and nothing happened.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from codyverse.core.together import together

Event = TypeVar("Event")

_handlers: defaultdict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(kind: type[Event], handler: Callable[[Event], None]) -> None:
    """Call `handler` for every event of exactly this type, after those subscribed before it.

    Subscribing the same handler again is harmless.
    """
    if handler not in _handlers[kind]:
        _handlers[kind].append(handler)


def is_heard(kind: type[Any]) -> bool:
    """Whether anybody handles facts of this type; nobody need make one that is not heard."""
    return bool(_handlers.get(kind))


def publish(event: object) -> None:
    """Hand a fact to its handlers, now, in this transaction; what they put down is written when the last one was heard."""
    handlers = _handlers.get(type(event))
    if handlers:
        with together():
            for handler in handlers:
                handler(event)
