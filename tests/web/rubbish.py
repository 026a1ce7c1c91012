"""Rubbish, and the list of all forms: every POST route with its fields, and what may be stored all the same."""

from dataclasses import dataclass, field
from typing import Any

from tests.factories import PASSWORD

MIB = 2**20
RUBBISH: dict[str, Any] = {
    "empty": "",
    "spaces": " \t\r\n",
    "10 MB": "x" * 10 * MIB,
    "long": "long " * 40_000,
    "a letter": "x",
    "NUL": "a\x00b",
    "emoji": "🦊👩‍🚀🏳️‍🌈",
    "bidi": "a\u202eb\u2066",
    "SQL": "'); drop table users; --",
    "SQL condition": "1 or 1=1",
    "HTML": '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "header": "x\r\nSet-Cookie: stolen=1",
    "path": "../../../../etc/passwd%00",
    "minus": "-1",
    "zero": "0",
    "huge": str(2**63),
    "very huge": "9" * 400,
    "fraction": "1.5",
    "exponent": "1e9",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "other digits": "١٢",
    "JSON list": '["a"]',
    "JSON object": '{"id": 1}',
    "null": "null",
    "true": "true",
    "invalid UTF-8": b"\xff\xfe\xed\xa0\x80",
    "overlong UTF-8": b"\xc0\xaf",
}
STRANGER, LEARNER, HALF, SECURED = "stranger", "learner", "half", "secured"
"""The last two have a second factor: one has given the password only, the other is signed in."""
OTHERS = ("Benedetta", "benedetta@example.org", "words of hers")
TABLES = [
    *("users", "zone_facts", "sessions", "courses", "modules", "lessons", "steps", "step_revisions"),
    *("attempts", "attempt_steps", "answers", "lesson_progress", "activity_days"),
    *("ledger_entries", "players", "daily_goals", "purchases", "streak_repairs", "earned_badges"),
    *(
        "league_cohorts",
        "league_members",
        "notifications",
        "notification_choices",
        "mails",
        "public_profiles",
    ),
    *("api_tokens", "second_factors", "recovery_codes", "one_time_keys", "passkeys", "prepared_exports"),
]
STUDY = {"attempts", "attempt_steps", "activity_days", "daily_goals", "users"}
ANY = set(RUBBISH) | {"missing"}


@dataclass(frozen=True)
class Form:
    """A POST route: who sends it, a whole and right sending, what that may write, and its status.

    `stores` names for a field the rubbish that is none there: it is taken, or left aside, and does no harm. Fields
    whose names hold ids are listed without them; what holds for one kind of exercise only has the kind before it.
    `alone`: a sending without any field is a right one, though not without one of them. `token`: it needs a CSRF token.
    """

    who: str
    fields: dict[str, Any]
    writes: set[str]
    stores: dict[str, set[str]] = field(default_factory=dict)
    right: int = 303
    alone: bool = False
    token: bool = True

    def takes(self, kind: str, name: str, what: str) -> bool:
        """Whether this rubbish is none in this field."""
        return any(what in self.stores.get(key, ()) for key in (bare(name), f"{kind} {bare(name)}"))


def bare(name: str) -> str:
    """A field's name without the id in it."""
    return name.partition("-")[0]


# Bytes that are no UTF-8 arrive in their %-form, which is a text like any other.
# A name may be any visible signs on one line, a password any eight; what is too long, empty or cannot be shown is refused.
UNREADABLE = {"NUL", "10 MB"}
NAMES = ANY - UNREADABLE - {"empty", "spaces", "long", "bidi", "very huge", "missing"}
PASSWORDS = {
    "invalid UTF-8",
    "emoji",
    "SQL",
    "SQL condition",
    "HTML",
    "template",
    "header",
    "path",
    "huge",
    "JSON object",
}
TYPED = ANY - UNREADABLE - {"empty", "spaces", "long", "missing"}
PASSED_BY = ANY - UNREADABLE
REGISTER = {
    "display_name": "Grace",
    "email": "grace@example.org",
    "password": PASSWORD,
    "time_zone": "Europe/Berlin",
}
SIGN_IN = {"email": "ada@example.org", "password": PASSWORD, "next": "/courses"}
PROFILE = {"display_name": "Ada", "time_zone": "UTC", "day_start_hour": "5"}
PREFERENCES = {
    "goal_intensity": "casual",
    "theme": "dark",
    "streak_mode": "weekly",
    "hidden": ["coins", "streak"],
}
NEWS = {
    "shown": ["badge", "level"],
    "mailed": ["league"],
    "mail_hour": "9",
    "quiet_from": "22",
    "quiet_until": "7",
}
PUBLIC_PAGE = {"handle": "ada-writes", "public": "y", "shown": ["badges", "level"]}
# An address may be letters and digits, three at least; the nonce of a purchase eight at least.
HANDLES = {"huge", "exponent", "NaN", "Infinity", "null", "true"}
NONCES = {"huge", "Infinity"}
SECRET = {"current_password": PASSWORD, "new_password": "river-comet-fable"}
OWNER = {"current_password": PASSWORD, "code": "", "credential": ""}
ADDRESS = {"email": "ada@new.example", "current_password": PASSWORD}
ANSWER = {"kind": "", "try_no": "1", "answer": "", "blank": "", "match": "", "position": "", "indent": ""}
COMPLETED = STUDY | {"lesson_progress", "ledger_entries", "players", "earned_badges", "notifications"}
TOKEN = {"name": "My phone", "scopes": ["progress:read", "progress:write"], "days": "30"}
SEVERAL = {"hidden", "shown", "mailed", "scopes"}
"""Fields that may be sent more than once."""

FORMS: dict[str, Form] = {
    # No time zone is UTC: people without JavaScript choose from a list, which always sends one.
    "accounts.register": Form(
        STRANGER,
        REGISTER,
        {"users", "zone_facts", "players", "one_time_keys", "mails"},
        {"display_name": NAMES, "password": PASSWORDS, "time_zone": {"empty", "missing"}},
    ),
    # Where to go on is a wish: what is no path on this site leads to the dashboard.
    "accounts.sign_in": Form(STRANGER, SIGN_IN, {"sessions"}, {"next": PASSED_BY}),
    "second_factor.check": Form(
        HALF,
        {"code": "", "next": "/courses"},
        {"sessions", "recovery_codes", "one_time_keys", "mails"},
        {"next": PASSED_BY},
    ),
    "second_factor.begin": Form(LEARNER, {"current_password": PASSWORD}, {"second_factors"}),
    "second_factor.confirm": Form(
        LEARNER, {"code": ""}, {"second_factors", "recovery_codes", "mails"}, right=200
    ),
    "second_factor.stop": Form(LEARNER, {}, {"second_factors"}),
    "second_factor.turn_off": Form(SECURED, OWNER, {"second_factors", "recovery_codes", "mails"}),
    "second_factor.renew": Form(SECURED, OWNER, {"recovery_codes", "mails"}, right=200),
    "passkeys.sign_in": Form(
        STRANGER,
        {"credential": "", "next": "/courses"},
        {"sessions", "passkeys", "one_time_keys"},
        {"next": PASSED_BY},
    ),
    "passkeys.second": Form(
        HALF,
        {"credential": "", "next": "/courses"},
        {"sessions", "passkeys", "one_time_keys"},
        {"next": PASSED_BY},
    ),
    "passkeys.begin": Form(SECURED, {"current_password": PASSWORD}, {"one_time_keys"}),
    "passkeys.add": Form(
        SECURED,
        {"name": "My laptop", "credential": ""},
        {"passkeys", "one_time_keys", "mails"},
        {"name": NAMES},
    ),
    "passkeys.remove": Form(SECURED, {"current_password": PASSWORD}, {"passkeys", "mails"}),
    "data.prepare": Form(LEARNER, {}, {"prepared_exports"}),
    "data.erase": Form(
        LEARNER,
        {"current_password": PASSWORD},
        {"users", "sessions", "api_tokens", "one_time_keys", "mails"},
    ),
    "security.end_session": Form(LEARNER, {}, {"sessions"}),
    "security.end_others": Form(LEARNER, {}, {"sessions"}),
    "security.change_address": Form(LEARNER, ADDRESS, {"one_time_keys", "mails"}),
    "security.ask_confirmation": Form(LEARNER, {}, set()),
    # The answer is the same whatever was typed.
    "recovery.forgot": Form(
        STRANGER, {"email": "ada@example.org"}, {"one_time_keys", "mails"}, {"email": PASSED_BY}, alone=True
    ),
    "recovery.reset": Form(
        STRANGER,
        {"new_password": "river-comet-fable"},
        {"users", "sessions", "one_time_keys", "mails"},
        {"new_password": PASSWORDS},
    ),
    "recovery.confirm": Form(STRANGER, {}, {"one_time_keys"}),
    "recovery.change": Form(STRANGER, {}, {"one_time_keys", "users", "mails"}),
    "accounts.sign_out": Form(LEARNER, {}, {"sessions"}),
    "accounts.sign_out_everywhere": Form(LEARNER, {}, {"sessions"}),
    "accounts.change_profile": Form(
        LEARNER,
        PROFILE,
        {"users", "zone_facts", "daily_goals"},
        {"display_name": NAMES, "day_start_hour": {"zero"}},
    ),
    "accounts.change_preferences": Form(
        LEARNER,
        PREFERENCES,
        {"users", "daily_goals"},
        {"hidden": {"missing"}, "streak_mode": {"empty", "missing"}},
    ),
    "accounts.change_password": Form(
        LEARNER, SECRET, {"users", "sessions", "one_time_keys", "mails"}, {"new_password": PASSWORDS}
    ),
    # A name may be longer than a display name: the address of a repository fits.
    "tokens.create": Form(LEARNER, TOKEN, {"api_tokens"}, {"name": NAMES}, right=200),
    "tokens.revoke": Form(LEARNER, {}, {"api_tokens"}),
    "lessons.start": Form(LEARNER, {}, {"attempts", "attempt_steps"}),
    "lessons.read": Form(LEARNER, {}, STUDY),
    # A gap may be filled with any text: it is a wrong answer. A line of a program (of "parsons") may be left out.
    "lessons.answer": Form(
        LEARNER,
        ANSWER,
        STUDY | {"answers"},
        {"blank": TYPED, "parsons position": {"empty", "missing"}, "indent": {"zero", "missing"}},
    ),
    # The hint is given; what is half written and cannot be understood is left aside.
    "lessons.hint": Form(LEARNER, ANSWER | {"hint_no": "1"}, STUDY, dict.fromkeys(ANSWER, PASSED_BY)),
    # A draft is whatever its writer has typed so far; what cannot be understood is left aside.
    "lessons.draft": Form(LEARNER, ANSWER, STUDY, dict.fromkeys(ANSWER, PASSED_BY), right=204),
    # Without the attempt's number the open one is meant.
    "lessons.complete": Form(LEARNER, {"attempt_id": ""}, COMPLETED, {"attempt_id": {"missing"}}),
    "goals.change_intensity": Form(LEARNER, {"goal_intensity": "serious"}, {"users", "daily_goals"}),
    "shop.buy": Form(
        LEARNER,
        {"nonce": "a-nonce-of-a-form"},
        {"purchases", "ledger_entries", "players", "users"},
        {"nonce": NONCES},
    ),
    # No item: whatever is worn of that kind is taken off.
    "shop.wear": Form(
        LEARNER, {"kind": "outfit", "item": "scarf"}, {"players"}, {"item": {"empty", "missing"}}
    ),
    "leaderboard.join": Form(LEARNER, {}, {"users", "league_members"}),
    "leaderboard.leave": Form(LEARNER, {}, {"users", "league_members"}),
    # Without a readable number all that there is was meant, and that is what the button says.
    "notifications.read_all": Form(LEARNER, {"up_to": "1"}, {"notifications"}, {"up_to": PASSED_BY}),
    "notifications.read": Form(LEARNER, {}, {"notifications"}),
    "notifications.change_settings": Form(
        LEARNER,
        NEWS,
        {"notification_choices"},
        {
            "shown": {"missing"},
            "mailed": {"missing"},
            "mail_hour": {"zero"},
            "quiet_from": {"zero"},
            "quiet_until": {"zero"},
        },
    ),
    # Without an address there is no page, and without the tick nobody sees it; a box is ticked whatever it says.
    "profiles.change": Form(
        LEARNER,
        PUBLIC_PAGE,
        {"public_profiles"},
        {"handle": HANDLES, "public": PASSED_BY, "shown": {"missing"}},
        alone=True,
    ),
    # Mail programs send it by themselves: what allows it is the token in the address.
    "mails.unsubscribe": Form(STRANGER, {}, {"notification_choices", "mails"}, token=False),
}
KINDS = ("choice", "choices", "blank", "order", "match", "parsons")
