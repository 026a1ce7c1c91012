"""The prebuilt SQL of webhooks.

Locks are taken in one order: the person, the webhook, its deliveries.
"""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

ENTITLED = """
    hook.off_at is null and owner.deactivated_at is null and owner.erase_after is null
    and (hook.scope = 'own' or owner.role = 'operator')
"""
"""Whether a webhook may be told anything (any more)."""

WRITE = text(f"""
    with fact as materialized (
        select * from jsonb_to_recordset(:facts)
            as fact (key text, user_id bigint, kind text, source text, data jsonb, at timestamptz)
    ), wanting as materialized (
        select hook.id, fact.key
        from webhooks as hook
        join users as owner on owner.id = hook.user_id
        join fact on hook.events ? fact.kind
        where (hook.user_id = any(:user_ids) or hook.scope = 'all')
              and (hook.scope = 'all' or hook.user_id = fact.user_id)
              and {ENTITLED}
        for key share of hook
    ), event as (
        insert into webhook_events (key, user_id, kind, source, data, created_at)
        select fact.key, fact.user_id, fact.kind, fact.source, fact.data, fact.at
        from fact where fact.key in (select wanting.key from wanting)
        on conflict (user_id, kind, source) do nothing
        returning id, key, created_at
    )
    insert into webhook_deliveries (webhook_id, event_id, next_try_at)
    select wanting.id, event.id, event.created_at from event join wanting on wanting.key = event.key
    order by event.id, wanting.id
""").bindparams(bindparam("facts", type_=JSONB))  # noqa: S608 - only the condition above
"""Write what happened for those who want it; nothing where nobody does. A webhook that is just being deleted is waited
for and left out, so that no learner's work ever fails because of it."""

DROP = text(f"""
    update webhook_deliveries as delivery
    set failed_at = :at, claimed_at = null, fault = :fault
    where delivery.id in (
        select lost.id from webhook_deliveries as lost
        join webhooks as hook on hook.id = lost.webhook_id join users as owner on owner.id = hook.user_id
        where lost.delivered_at is null and lost.failed_at is null and not ({ENTITLED})
        for update of lost skip locked
    )
""")  # noqa: S608 - only the condition above

FREE_CLAIMS = text("""
    update webhook_deliveries set claimed_at = null
    where id in (
        select id from webhook_deliveries
        where delivered_at is null and failed_at is null and claimed_at < :killed
        for update skip locked
    )
""")

CLAIM = text("""
    with due as (
        select picked.id from webhooks as hook
        cross join lateral (
            select delivery.id, delivery.next_try_at from webhook_deliveries as delivery
            where delivery.webhook_id = hook.id
                  and delivery.delivered_at is null and delivery.failed_at is null
                  and delivery.claimed_at is null and delivery.next_try_at <= :at
            order by delivery.next_try_at, delivery.id limit :each
        ) as picked
        order by picked.next_try_at, picked.id limit :most
    ), taken as (
        select delivery.id from webhook_deliveries as delivery
        where delivery.id in (select due.id from due)
              and delivery.delivered_at is null and delivery.failed_at is null
              and delivery.claimed_at is null and delivery.next_try_at <= :at
        for update skip locked
    )
    update webhook_deliveries as delivery
    set claimed_at = :at, last_try_at = :at, tries = delivery.tries + 1,
        give_up_at = coalesce(delivery.give_up_at, :until)
    from taken, webhooks as hook, webhook_events as event
    where delivery.id = taken.id and hook.id = delivery.webhook_id and event.id = delivery.event_id
    returning delivery.id, delivery.webhook_id, delivery.tries, delivery.claimed_at, delivery.give_up_at,
              hook.url, hook.sealed_secret, event.key, event.kind, event.created_at, event.data
""")
"""Take some deliveries that are due, a few per webhook, so that one slow server does not keep the others waiting."""
