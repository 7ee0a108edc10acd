"""When an order was first missed after its session."""

import sqlalchemy as sa
from alembic import op

from worker.journal.types import UtcText

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("absent_since", UtcText(), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "absent_since")
