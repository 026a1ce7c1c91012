"""Mails as people read them: templates filled, headers set. The post keeps them, the mail server takes them."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from flask import current_app, render_template, url_for
from jinja2_fragments.flask import render_block

from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.core.sealing import CannotOpen, Seal
from codyverse.core.smtp import Connection, MailServer, NoMailServer, NotSent
from codyverse.notifications import post
from codyverse.notifications.post import Letter
from config import Settings


@dataclass(frozen=True, slots=True)
class Written:
    """A mail, filled in. `unsubscribe_url` is '' for mails that somebody asked for themselves."""

    subject: str
    text: str
    html: str
    unsubscribe_url: str


def settings() -> Settings:
    """The settings of this application."""
    found: Settings = current_app.extensions["settings"]
    return found


def server() -> MailServer | None:
    """The mail server that is set; None if there is none, as in development."""
    url = settings().smtp_url
    return MailServer.at(url, settings().smtp_timeout_s) if url else None


def can_mail() -> bool:
    """Whether a page may promise a mail: there is a mail server, or none is needed, for in development the log shows mails."""
    return server() is not None or not settings().is_public


def links() -> Seal:
    """What keeps the keys of links while they wait in the post: who reads the database cannot use them."""
    return Seal(settings().secret_key, "links")


def _opened(sealed: str) -> str:
    """The key of a link; one that was sealed under another SECRET_KEY leads nowhere."""
    try:
        return links().open(sealed)
    except CannotOpen:
        return "-"


def write(kind: str, context: dict[str, Any]) -> Written:
    """Fill the templates `emails/<kind>.txt` and `.html`. The subject is a block of the first. Links are absolute."""
    with current_app.test_request_context(base_url=settings().base_url):
        token = context.get("unsubscribe_token", "")
        unsubscribe = url_for("mails.unsubscribe_page", token=token, _external=True) if token else ""
        filled = context | {"unsubscribe_url": unsubscribe}
        if "sealed_key" in context:
            filled["key"] = _opened(context["sealed_key"])
        template = f"emails/{kind}.txt"
        return Written(
            subject=" ".join(render_block(template, "subject", **filled).split()),
            text=render_block(template, "text", **filled).strip() + "\n",
            html=render_template(f"emails/{kind}.html", **filled),
            unsubscribe_url=unsubscribe,
        )


def message(mail_id: int, recipient: str, kind: str, context: dict[str, Any]) -> EmailMessage:
    """The mail to hand over. The same mail has the same Message-ID however often it is tried."""
    written = write(kind, context)
    name, address = parseaddr(settings().mail_from)
    domain = address.rpartition("@")[2]
    made = EmailMessage()
    made["From"] = Address(name, addr_spec=address)
    made["To"] = Address(addr_spec=recipient)
    made["Subject"] = written.subject
    made["Date"] = format_datetime(now())
    made["Message-ID"] = f"<{kind}.{mail_id}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"
    if written.unsubscribe_url:
        made["List-Unsubscribe"] = f"<{written.unsubscribe_url}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(written.text)
    made.add_alternative(written.html, subtype="html")
    return made


def deliver() -> tuple[int, int]:
    """Send every mail that is due, a batch per connection; how many were taken, and how many were refused.

    Raises NoMailServer, with all that was not sent put back to be tried later. Without a mail server nothing is done.
    """
    taken = refused = 0
    post_office = server()
    while post_office is not None and (letters := _claimed()):
        left = {letter.id: letter for letter in letters}
        try:
            with post_office.connection() as connection:
                for letter in letters:
                    fault = _hand_over(connection, letter)
                    del left[letter.id]
                    taken, refused = (taken, refused + 1) if fault else (taken + 1, refused)
        except NoMailServer as fault:
            for letter in left.values():
                with unit_of_work():
                    post.not_sent(letter, now(), str(fault), for_good=False)
            raise
    return taken, refused


def _claimed() -> tuple[Letter, ...]:
    with unit_of_work():
        return post.claim(now())


def _hand_over(connection: Connection, letter: Letter) -> NotSent | None:
    """Send one mail and write down at once what became of it; why it was not taken. Raises NoMailServer."""
    try:
        connection.send(message(letter.id, letter.recipient, letter.kind, letter.context))
    except NotSent as fault:
        with unit_of_work():
            post.not_sent(letter, now(), str(fault), for_good=fault.for_good)
        return fault
    with unit_of_work():
        post.sent(letter.id, now())
    return None
