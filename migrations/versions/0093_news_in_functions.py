"""who is told what by the page, and whether a webhook may listen: functions, whose plans a connection keeps"""

from alembic import op

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None

_READER = """
create function news_reader(p_user bigint) returns jsonb language plpgsql {HOW} as $$
begin
    return (
        select jsonb_build_array(users.time_zone, users.preferences, choices.page_off, choices.quiet_from,
                                 choices.quiet_until)
        from users left join notification_choices as choices on choices.user_id = users.id
        where users.id = p_user and users.deactivated_at is null
    );
end $$
"""
_WRITE = """
create function news_write(p_news jsonb, p_channel text) returns void language plpgsql {HOW} as $$
declare
    v_user bigint;
begin
    for v_user in
        with made as (
            insert into notifications (user_id, kind, source, details, created_at, read_at)
            select news.user_id, news.kind, news.source, news.details, news.at,
                   case when news.shown then null else news.at end
            from jsonb_to_recordset(p_news)
                as news (user_id bigint, kind text, source text, details jsonb, at timestamptz, shown boolean)
            on conflict (user_id, kind, source) do nothing
            returning user_id, kind, source
        )
        select distinct made.user_id
        from made join jsonb_to_recordset(p_news) as news (user_id bigint, kind text, source text, push boolean)
            on news.user_id = made.user_id and news.kind = made.kind and news.source = made.source
        where news.push
    loop
        perform pg_notify(p_channel, v_user::text);
    end loop;
end $$
"""
_LISTEN = """
create function hooks_listen(p_user bigint) returns boolean language plpgsql {HOW} as $$
begin
    return exists (select from webhooks where user_id = p_user)
        or exists (select from webhooks where scope = 'all');
end $$
"""
HOW = "set plan_cache_mode = force_generic_plan set enable_seqscan = off"
"""A plan is made once, for tables of any size, and not anew when they have grown or have not been looked at yet."""
FUNCTIONS = {
    "news_reader(bigint)": _READER,
    "news_write(jsonb, text)": _WRITE,
    "hooks_listen(bigint)": _LISTEN,
}


def upgrade() -> None:
    for body in FUNCTIONS.values():
        op.execute(body.replace("{HOW}", HOW))


def downgrade() -> None:
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
