"""The tables of the releases before migrations: chats, turns, versions, cards, pictures. There is nothing to do."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    pass
