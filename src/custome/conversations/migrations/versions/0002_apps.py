"""A conversation belongs to an app; scene and summary are apart; cards are things of an app.

The settings of a conversation held both: the scene as the page has it, and four keys of a summary made by itself.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SUMMARY = {"summary": "text", "made": "made", "made_before": "made_before", "summed": "turns"}
"""Keys of the settings → fields of a summary."""


BEFORE = sa.MetaData()
"""The tables as 0001 has them. The program of that time made missing ones at every start, so a file may lack some."""
sa.Table(
    "turns",
    BEFORE,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("chat", sa.String(32), nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("by_user", sa.Boolean, nullable=False),
    sa.Column("chosen", sa.Integer, nullable=False),
    sa.Column("deleted", sa.Double),
    sa.Index("turns_in_order", "chat", "place"),
)
sa.Table(
    "versions",
    BEFORE,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("turn", sa.Integer, nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False),
    sa.Column("told", sa.JSON, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)
CARDS, PICTURES = (
    sa.Table(
        name,
        BEFORE,
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("content", kind, nullable=False),
    )
    for name, kind in (("cards", sa.JSON), ("pictures", sa.LargeBinary))
)


def upgrade() -> None:
    BEFORE.create_all(op.get_bind())
    op.add_column(
        "chats", sa.Column("app", sa.String(40), nullable=False, server_default="cosplay")
    )
    op.add_column("chats", sa.Column("scene", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("chats", sa.Column("summary", sa.JSON, nullable=False, server_default="{}"))
    _part_settings()
    with op.batch_alter_table("chats") as chats:  # SQLite before 3.35 cannot drop a column
        chats.drop_column("settings")
    op.alter_column("versions", "told", new_column_name="stats")
    op.create_table(
        "things",
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("app", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
    )
    _move_cards()
    op.drop_table("cards")
    op.drop_table("pictures")


def _part_settings() -> None:
    chats = sa.table(
        "chats",
        sa.column("id", sa.String),
        sa.column("settings", sa.JSON),
        sa.column("scene", sa.JSON),
        sa.column("summary", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(chats.c.id, chats.c.settings)).all():
        settings = row.settings or {}
        scene = {key: value for key, value in settings.items() if key not in SUMMARY}
        summary = {name: settings[key] for key, name in SUMMARY.items() if settings.get(key)}
        connection.execute(
            chats.update().where(chats.c.id == row.id).values(scene=scene, summary=summary)
        )


def _move_cards() -> None:
    things = sa.table(
        "things",
        *(sa.column(key, sa.String) for key in ("owner", "app", "kind", "name")),
        sa.column("content", sa.JSON),
        sa.column("data", sa.LargeBinary),
        sa.column("updated", sa.Float),
    )
    connection = op.get_bind()
    found = {(row.owner, row.name): row.content for row in connection.execute(sa.select(PICTURES))}
    for row in connection.execute(sa.select(CARDS)).all():
        connection.execute(
            things.insert().values(
                owner=row.owner,
                app="cosplay",
                kind="card",
                name=row.name,
                content=row.content,
                data=found.get((row.owner, row.name), b""),
                updated=time.time(),
            )
        )
