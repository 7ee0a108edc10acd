"""Foreign orders, executions and shares; what people said about shares."""

import sqlalchemy as sa
from alembic import op

from worker.journal.types import DecimalText, UtcText

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "baselines",
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("seen", sa.String(length=64), nullable=False),
        sa.Column("seen_at", UtcText(), nullable=False),
        sa.Column("taken_at", UtcText(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_baselines")),
    )
    op.create_table(
        "foreign_orders",
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("broker_order_id", sa.String(length=40), nullable=False),
        sa.Column("coid", sa.Text(), nullable=True),
        sa.Column("conid", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("remaining_quantity", DecimalText(), nullable=True),
        sa.Column("in_baseline", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", UtcText(), nullable=False),
        sa.Column("last_seen_at", UtcText(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "broker_order_id", name=op.f("pk_foreign_orders")),
    )
    op.create_table(
        "foreign_fills",
        sa.Column("execution_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("conid", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("quantity", DecimalText(), nullable=False),
        sa.Column("executed_at", UtcText(), nullable=False),
        sa.Column("in_baseline", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", UtcText(), nullable=False),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_foreign_fills")),
    )
    op.create_table(
        "foreign_positions",
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("conid", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("quantity", DecimalText(), nullable=False),
        sa.Column("unexplained", DecimalText(), nullable=True),
        sa.Column("unexplained_since", UtcText(), nullable=True),
        sa.Column("confirmed_at", UtcText(), nullable=True),
        sa.Column("updated_at", UtcText(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "conid", name=op.f("pk_foreign_positions")),
    )
    op.create_table(
        "adjustments",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("quantity", DecimalText(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", UtcText(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
    )
    op.create_index(
        op.f("ix_adjustments_account_id_symbol"), "adjustments", ["account_id", "symbol"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_adjustments_account_id_symbol"), table_name="adjustments")
    op.drop_table("adjustments")
    op.drop_table("foreign_positions")
    op.drop_table("foreign_fills")
    op.drop_table("foreign_orders")
    op.drop_table("baselines")
