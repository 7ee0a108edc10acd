"""What the end of an order's session proves: what was foreign before it, and when it was missed."""

import sqlalchemy as sa
from alembic import op

from worker.journal.types import DecimalText, UtcText

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("foreign_quantity", DecimalText(), nullable=True))
    op.add_column("orders", sa.Column("absent_since", UtcText(), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "absent_since")
    op.drop_column("orders", "foreign_quantity")
