"""A turn knows who was there to hear it. Of earlier turns nobody knows: everybody heard them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("turns", sa.Column("present", sa.JSON))
