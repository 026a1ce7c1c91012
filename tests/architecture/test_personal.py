"""What is kept about persons: every table that names one says what they get of it, and what is left when they go."""

from flask import Flask
from sqlalchemy import inspect

from codyverse.core.database import Base, db
from codyverse.core.personal import TABLES

FAR_FROM_PERSONS = {"league_cohorts", "idempotency_records"}


def test_every_table_that_leads_to_a_person_is_registered(app: Flask) -> None:
    leading = {"users"}
    tables = Base.metadata.tables.values()
    while True:
        more = {
            table.name
            for table in tables
            for key in table.foreign_keys
            if key.column.table.name in leading and table.name not in leading
        }
        if not more:
            break
        leading |= more
    assert leading == set(TABLES), "register each in the models.py of its domain"


def test_what_is_left_out_or_blanked_exists(app: Flask) -> None:
    columns = {name: {each["name"] for each in inspect(db.engine).get_columns(name)} for name in TABLES}
    for name, personal in TABLES.items():
        assert {personal.owner, *personal.leave_out, *personal.blank} <= columns[name]
