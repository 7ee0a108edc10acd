"""The first schema."""

import sqlalchemy as sa
from alembic import op

from worker.journal.types import DecimalText, JsonText, UtcText

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "beacons",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("at", UtcText(), nullable=False),
        sa.Column("data", JsonText(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_beacons")),
    )
    op.create_table(
        "lock_waiters",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("since", UtcText(), nullable=False),
        sa.Column("seen_at", UtcText(), nullable=False),
        sa.PrimaryKeyConstraint("name", "holder", name=op.f("pk_lock_waiters")),
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("holder", sa.String(length=80), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcText(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=False),
        sa.Column("strategy_name", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=160), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failed_step", sa.String(length=40), nullable=True),
        sa.Column("initial", JsonText(), nullable=False),
        sa.Column("task_ids", JsonText(), nullable=True),
        sa.Column("due_at", UtcText(), nullable=False),
        sa.Column("not_after", UtcText(), nullable=True),
        sa.Column("created_at", UtcText(), nullable=False),
        sa.Column("queued_at", UtcText(), nullable=True),
        sa.Column("closed_at", UtcText(), nullable=True),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("published_at", UtcText(), nullable=True),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
        sa.UniqueConstraint("strategy_id", "slot", name=op.f("uq_runs_strategy_id_slot")),
    )
    op.create_index("ix_runs_status_due_at", "runs", ["status", "due_at"], unique=False)
    op.create_table(
        "trading_states",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", UtcText(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_trading_states")),
    )
    op.create_table(
        "decisions",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("symbol", sa.String(length=16), nullable=False),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("line", JsonText(), nullable=False),
        sa.Column("decided_at", UtcText(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_decisions_run_id")),
        sa.PrimaryKeyConstraint("run_id", "symbol", "leg", name=op.f("pk_decisions")),
    )
    op.create_table(
        "orders",
        sa.Column("coid", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("symbol", sa.String(length=16), nullable=False),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=False),
        sa.Column("conid", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("limit_price", DecimalText(), nullable=False),
        sa.Column("intent", JsonText(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("send_by", UtcText(), nullable=True),
        sa.Column("broker_order_id", sa.String(length=40), nullable=True),
        sa.Column("filled_quantity", DecimalText(), nullable=False),
        sa.Column("average_price", DecimalText(), nullable=True),
        sa.Column("reasons", JsonText(), nullable=False),
        sa.Column("acknowledged_at", UtcText(), nullable=True),
        sa.Column("cancel_requested_at", UtcText(), nullable=True),
        sa.Column("session_closes_at", UtcText(), nullable=True),
        sa.Column("created_at", UtcText(), nullable=False),
        sa.Column("updated_at", UtcText(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_orders_run_id")),
        sa.PrimaryKeyConstraint("coid", name=op.f("pk_orders")),
        sa.UniqueConstraint("run_id", "symbol", "leg", name=op.f("uq_orders_run_id_symbol_leg")),
    )
    op.create_index(
        "ix_orders_account_id_symbol_state",
        "orders",
        ["account_id", "symbol", "state"],
        unique=False,
    )
    op.create_index("ix_orders_state", "orders", ["state"], unique=False)
    op.create_table(
        "steps",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcText(), nullable=True),
        sa.Column("wake_at", UtcText(), nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("hops", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcText(), nullable=False),
        sa.Column("finished_at", UtcText(), nullable=True),
        sa.Column("output", JsonText(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_steps_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_steps")),
    )
    op.create_table(
        "fills",
        sa.Column("execution_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("coid", sa.String(length=40), nullable=False),
        sa.Column("strategy_id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("quantity", DecimalText(), nullable=False),
        sa.Column("price", DecimalText(), nullable=False),
        sa.Column("commission_usd", DecimalText(), nullable=True),
        sa.Column("executed_at", UtcText(), nullable=False),
        sa.Column("recorded_at", UtcText(), nullable=False),
        sa.ForeignKeyConstraint(["coid"], ["orders.coid"], name=op.f("fk_fills_coid")),
        sa.PrimaryKeyConstraint("execution_id", name=op.f("pk_fills")),
    )
    op.create_index("ix_fills_account_id_symbol", "fills", ["account_id", "symbol"], unique=False)
    op.create_index(op.f("ix_fills_coid"), "fills", ["coid"], unique=False)
    op.create_table(
        "order_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("coid", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("at", UtcText(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("data", JsonText(), nullable=True),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["coid"], ["orders.coid"], name=op.f("fk_order_events_coid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(op.f("ix_order_events_coid"), "order_events", ["coid"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_order_events_coid"), table_name="order_events")
    op.drop_table("order_events")
    op.drop_index(op.f("ix_fills_coid"), table_name="fills")
    op.drop_index("ix_fills_account_id_symbol", table_name="fills")
    op.drop_table("fills")
    op.drop_table("steps")
    op.drop_index("ix_orders_state", table_name="orders")
    op.drop_index("ix_orders_account_id_symbol_state", table_name="orders")
    op.drop_table("orders")
    op.drop_table("decisions")
    op.drop_table("trading_states")
    op.drop_index("ix_runs_status_due_at", table_name="runs")
    op.drop_table("runs")
    op.drop_table("locks")
    op.drop_table("lock_waiters")
    op.drop_table("beacons")
