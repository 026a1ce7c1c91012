"""Your own account over the API; for operators everybody's."""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from werkzeug.http import http_date

from codyverse.accounts import people, profiles, services
from codyverse.accounts.people import Person
from codyverse.api.operation import Reply, Written, leads_to, operation
from codyverse.api.schemas.common import Page, moment_text
from codyverse.api.schemas.people import (
    ErasureOut,
    ExportOut,
    ExportStateOut,
    MeIn,
    MeOut,
    PeopleQuery,
    PersonOut,
    PreferencesOut,
    PublicPageOut,
)
from codyverse.api.subjects import subject
from codyverse.archives import prepared
from codyverse.archives.prepared import Prepared
from codyverse.core.errors import Invalid, NotFound
from codyverse.gamification import services as game
from codyverse.gamification.leagues import services as leagues
from codyverse.http.access import principal
from codyverse.http.limits import exports_per_person

TAG = "People"
Value = TypeVar("Value")


def _fields(found: Person) -> dict[str, Any]:
    return {name: getattr(found, name) for name in PersonOut.model_fields}


def _me(user_id: int) -> MeOut:
    found, page = people.person(user_id), profiles.own_profile(user_id)
    chosen, who = found.preferences, principal()
    fields = {name: getattr(chosen, name) for name in PreferencesOut.model_fields}
    return MeOut(
        **_fields(found),
        preferences=PreferencesOut(**fields | {"hidden": sorted(chosen.hidden)}),
        public_page=PublicPageOut.model_validate(
            {"handle": page.handle, "public": page.public, "shown": sorted(page.shown)}
        ),
        scopes=None if who.scopes is None else sorted(who.scopes),
    )


@operation(
    "GET",
    "/users/me",
    "getMe",
    tag=TAG,
    summary="Your own account",
    scope="profile:read",
    returns=MeOut,
    links={"getUser": {"userId": "$response.body#/data/id"}},
)
def get_me() -> Reply:
    """Who acts, with all settings."""
    return Reply(_me(principal().id))


@operation(
    "PATCH",
    "/users/me",
    "changeMe",
    tag=TAG,
    summary="Change your own account",
    scope="profile:write",
    body=MeIn,
    returns=MeOut,
)
def change_me(body: MeIn) -> Reply:
    """What is left out stays as it is. All of it is changed, or nothing."""
    who = principal()
    try:
        _change(who.id, body)
    except Invalid as fault:
        raise Invalid({NAMES.get(name, name): told for name, told in fault.fields.items()}) from fault
    return Reply(_me(who.id), "Saved.")


NAMES = {
    "display_name": "name",
    "handle": "publicPage.handle",
    "shown": "publicPage.shown",
}


def _change(user_id: int, body: MeIn) -> None:
    before = people.person(user_id)
    if not body.model_fields_set.isdisjoint({"name", "time_zone", "day_start_hour"}):
        services.change_profile(
            user_id,
            display_name=_or(body.name, before.name),
            time_zone=_or(body.time_zone, before.time_zone),
            day_start_hour=_or(body.day_start_hour, before.day_start_hour),
        )
    if (wanted := body.preferences) is not None:
        chosen = before.preferences
        game.keep_todays_goals(user_id)
        services.change_preferences(
            user_id,
            goal_intensity=_or(wanted.goal_intensity, chosen.goal_intensity),
            hidden=chosen.hidden if wanted.hidden is None else frozenset(wanted.hidden),
            theme=_or(wanted.theme, chosen.theme),
            streak_mode=wanted.streak_mode,
        )
        if wanted.leagues is not None:
            leagues.choose(user_id, wanted=wanted.leagues)
    if (page := body.public_page) is not None:
        kept = profiles.own_profile(user_id)
        profiles.change_profile_page(
            user_id,
            handle=_or(page.handle, kept.handle),
            public=_or(page.public, kept.public),
            shown=kept.shown if page.shown is None else frozenset(page.shown),
        )


def _or(given: Value | None, kept: Value) -> Value:
    return kept if given is None else given


@operation(
    "DELETE",
    "/users/me",
    "eraseMe",
    tag=TAG,
    summary="Erase your account",
    scope="profile:write",
    returns=ErasureOut,
)
def erase_me() -> Reply:
    """All sessions and tokens end now, this one too. In 30 days everything personal is erased; signing in before then
    calls it off. Keep the receipt: with it the people who run the site can tell you later that it was done.
    """
    leaving = people.ask_erasure(principal().id)
    told = ErasureOut(erase_after=leaving.when, receipt=leaving.receipt)
    return Reply(told, "Sign in again before then if you change your mind.")


@operation(
    "POST",
    "/users/me/export",
    "askExport",
    tag=TAG,
    summary="Have everything that is kept about you prepared",
    scope="profile:read",
    returns=ExportStateOut,
    status=202,
    limits=(exports_per_person,),
    links=leads_to("exportMe"),
)
def ask_export() -> Reply:
    """It takes a second or a few, and is kept for a day: GET it at `Location`, every `Retry-After` seconds, until it is there.

    While one is being prepared, asking again changes nothing; later it is prepared anew, in place of the one before.
    """
    return _under_way(prepared.ask(principal().id))


def _under_way(found: Prepared) -> Reply:
    told = ExportStateOut.model_validate({"state": found.state, "asked_at": found.asked_at})
    headers = {"Retry-After": str(prepared.LOOK_AGAIN_S), "Cache-Control": "no-store"}
    return Reply(
        Written(told.model_dump_json(by_alias=True).encode()),
        "It is being prepared.",
        status=202,
        location="/api/users/me/export",
        headers=headers,
    )


@operation(
    "GET",
    "/users/me/export",
    "exportMe",
    tag=TAG,
    summary="Everything that is kept about you",
    scope="profile:read",
    returns=ExportOut,
    meanwhile=ExportStateOut,
    errors=("NOT_FOUND",),
)
def export_me() -> Reply:
    """By table, as it was stored at `exportedAt`; no hashes, nothing of others. Ask for it with POST first.

    While it is being prepared the status is 202. Once it is there, it is the same each time, until you ask for another or its
    time is over. 404: none is there, and `error` says why.
    """
    found, tables = prepared.tables(principal().id)
    if tables is not None:
        made = moment_text(tables.prepared_at)
        written = b'{"exportedAt":"' + made.encode() + b'","tables":' + tables.json + b"}"
        return Reply(Written(written), headers={"Last-Modified": http_date(tables.prepared_at)})
    if found.is_under_way:
        return _under_way(found)
    raise NotFound(f"{NONE_THERE.get(found.state, 'No export of yours is prepared.')} Ask for one with POST.")


NONE_THERE = {
    "over": "Your export was kept for its time and is deleted.",
    "failed": "Your export could not be prepared.",
}


@operation(
    "GET",
    "/users/<user_id>",
    "getUser",
    tag=TAG,
    summary="An account",
    scope="profile:read",
    returns=PersonOut,
)
def get_user(user_id: str) -> Reply:
    """Your own; for operators anybody's."""
    return Reply(PersonOut.model_validate(_fields(people.person(subject(user_id)))))


@operation(
    "GET",
    "/users",
    "listUsers",
    tag=TAG,
    summary="All accounts",
    policy="operator",
    scope="admin",
    query=PeopleQuery,
    returns=Page[PersonOut],
)
def list_users(query: PeopleQuery) -> Reply:
    """Oldest first. For operators.

    A later `page` is found by counting those before it. Whoever reads a large site from one end to the other asks with
    `afterId`, at first 0, and follows `rel="next"`: each page then costs the same.
    """
    found, total = people.people(query.offset, query.per_page, query.role, query.after_id)
    items = [PersonOut.model_validate(_fields(each)) for each in found]
    page = Page[PersonOut](items=items, page=query.page, per_page=query.per_page, total=total)
    keyed = "after_id" in query.model_fields_set
    return Reply(page, headers={"Link": _keyed_links(query, items)} if keyed else {})


def _keyed_links(query: PeopleQuery, items: Sequence[PersonOut]) -> str:
    """The Link header of accounts that are read on from the last one seen."""
    asked = ({"role": query.role} if query.role else {}) | {"perPage": str(query.per_page)}
    places = {"first": 0}
    if len(items) == query.per_page:
        places["next"] = items[-1].id
    return ", ".join(
        f'</api/users?{urlencode(asked | {"afterId": str(after)})}>; rel="{name}"'
        for name, after in places.items()
    )
