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


def upgrade() -> None:
    op.add_column(
        "chats", sa.Column("app", sa.String(40), nullable=False, server_default="cosplay")
    )
    op.add_column("chats", sa.Column("scene", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("chats", sa.Column("summary", sa.JSON, nullable=False, server_default="{}"))
    _part_settings()
    op.drop_column("chats", "settings")
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
    def named(table: str, content: type[sa.types.TypeEngine]) -> sa.TableClause:
        keys = (sa.column("owner", sa.String), sa.column("name", sa.String))
        return sa.table(table, *keys, sa.column("content", content))

    cards, pictures = named("cards", sa.JSON), named("pictures", sa.LargeBinary)
    things = sa.table(
        "things",
        *(sa.column(key, sa.String) for key in ("owner", "app", "kind", "name")),
        sa.column("content", sa.JSON),
        sa.column("data", sa.LargeBinary),
        sa.column("updated", sa.Float),
    )
    connection = op.get_bind()
    found = {(row.owner, row.name): row.content for row in connection.execute(sa.select(pictures))}
    for row in connection.execute(sa.select(cards)).all():
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
