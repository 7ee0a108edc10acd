"""The journal's tables. Current state beside append-only events."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip

from worker.journal.types import DecimalText, JsonText, UtcText

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite counts a row id up only for a plain INTEGER key.
RowId = BigInteger().with_variant(Integer(), "sqlite")

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("strategy_id", Integer, nullable=False),
    Column("strategy_name", String(40), nullable=False),
    Column("slot", String(160), nullable=False),
    Column("mode", String(8), nullable=False),
    # created -> queued -> (ending ->) closed; missed is an end of its own
    Column("status", String(16), nullable=False),
    Column("cancelled", Boolean, nullable=False, default=False),
    Column("outcome", String(24)),
    Column("reason", Text),
    Column("failed_step", String(40)),
    Column("initial", JsonText, nullable=False),
    Column("task_ids", JsonText),
    Column("due_at", UtcText, nullable=False),
    Column("not_after", UtcText),
    Column("created_at", UtcText, nullable=False),
    Column("queued_at", UtcText),
    Column("closed_at", UtcText),
    Column("published", Integer, nullable=False, default=0),
    Column("published_at", UtcText),
    Column("version", String(40), nullable=False),
    UniqueConstraint("strategy_id", "slot"),
    Index("ix_runs_status_due_at", "status", "due_at"),
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.run_id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", String(40), nullable=False),
    # running, waiting (for a moment), released (to be tried again), done, failed
    Column("state", String(16), nullable=False),
    Column("token", Integer, nullable=False),
    Column("lease_until", UtcText),
    Column("wake_at", UtcText),
    Column("waits_for", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("hops", Integer, nullable=False, default=0),
    Column("takeovers", Integer, nullable=False, default=0),
    Column("started_at", UtcText, nullable=False),
    Column("finished_at", UtcText),
    Column("output", JsonText),
    Column("error", Text),
)

decisions = Table(
    "decisions",
    metadata,
    Column("run_id", String(40), ForeignKey("runs.run_id"), primary_key=True),
    Column("symbol", String(16), primary_key=True),
    Column("leg", String(16), primary_key=True),
    Column("line", JsonText, nullable=False),
    Column("decided_at", UtcText, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("coid", String(40), primary_key=True),
    Column("run_id", String(40), ForeignKey("runs.run_id"), nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("leg", String(16), nullable=False),
    Column("account_id", String(24), nullable=False),
    Column("strategy_id", Integer, nullable=False),
    Column("conid", BigInteger, nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("limit_price", DecimalText, nullable=False),
    Column("intent", JsonText, nullable=False),
    Column("state", String(12), nullable=False),
    Column("token", Integer, nullable=False),
    Column("send_by", UtcText),
    Column("broker_order_id", String(40)),
    Column("filled_quantity", DecimalText, nullable=False),
    Column("average_price", DecimalText),
    Column("reasons", JsonText, nullable=False),
    Column("acknowledged_at", UtcText),
    Column("cancel_requested_at", UtcText),
    Column("session_closes_at", UtcText),
    Column("absent_since", UtcText),
    Column("created_at", UtcText, nullable=False),
    Column("updated_at", UtcText, nullable=False),
    UniqueConstraint("run_id", "symbol", "leg"),
    Index("ix_orders_account_id_symbol_state", "account_id", "symbol", "state"),
    Index("ix_orders_state", "state"),
)

order_events = Table(
    "order_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("coid", String(40), ForeignKey("orders.coid"), nullable=False, index=True),
    Column("run_id", String(40), nullable=False),
    Column("at", UtcText, nullable=False),
    Column("state", String(12), nullable=False),
    Column("cause", Text, nullable=False),
    Column("data", JsonText),
    Column("version", String(40), nullable=False),
    Column("account_id", String(24), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("account_id", "seq"),
)

# The end of each account's chain of events; whoever appends to it locks its row.
chain_heads = Table(
    "chain_heads",
    metadata,
    Column("account_id", String(24), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

fills = Table(
    "fills",
    metadata,
    Column("execution_id", String(64), primary_key=True),
    Column("account_id", String(24), nullable=False),
    Column("coid", String(40), ForeignKey("orders.coid"), nullable=False, index=True),
    Column("strategy_id", Integer, nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("price", DecimalText, nullable=False),
    Column("commission_usd", DecimalText),
    Column("executed_at", UtcText, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
    Index("ix_fills_account_id_symbol", "account_id", "symbol"),
)

# The account's first look was taken, or is half taken: `seen` is what the first half saw.
baselines = Table(
    "baselines",
    metadata,
    Column("account_id", String(24), primary_key=True),
    Column("seen", String(64), nullable=False),
    Column("seen_at", UtcText, nullable=False),
    Column("taken_at", UtcText),
)

# Orders that no run of this journal sent.
foreign_orders = Table(
    "foreign_orders",
    metadata,
    Column("account_id", String(24), primary_key=True),
    Column("broker_order_id", String(40), primary_key=True),
    Column("coid", Text),
    Column("conid", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", String(4), nullable=False),
    Column("status", Text, nullable=False),
    Column("remaining_quantity", DecimalText),
    Column("in_baseline", Boolean, nullable=False),
    Column("first_seen_at", UtcText, nullable=False),
    Column("last_seen_at", UtcText, nullable=False),
)

foreign_fills = Table(
    "foreign_fills",
    metadata,
    Column("execution_id", String(64), primary_key=True),
    Column("account_id", String(24), nullable=False),
    Column("conid", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", String(4), nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("executed_at", UtcText, nullable=False),
    Column("in_baseline", Boolean, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
)

# Shares that are no strategy's: what the first look found, and what foreign executions and people
# made of it. `unexplained`: how many more (or fewer) the account holds than all that explains.
foreign_positions = Table(
    "foreign_positions",
    metadata,
    Column("account_id", String(24), primary_key=True),
    Column("conid", BigInteger, primary_key=True),
    Column("symbol", Text, nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("unexplained", DecimalText),
    Column("unexplained_since", UtcText),
    Column("confirmed_at", UtcText),
    Column("updated_at", UtcText, nullable=False),
)

# What a named person said about shares: append-only. Without a strategy it is about foreign ones.
adjustments = Table(
    "adjustments",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("account_id", String(24), nullable=False),
    Column("strategy_id", Integer),
    Column("symbol", Text, nullable=False),
    # adopt, split, accept
    Column("kind", String(12), nullable=False),
    Column("quantity", DecimalText, nullable=False),
    Column("who", String(80), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", UtcText, nullable=False),
    Column("version", String(40), nullable=False),
    Index("ix_adjustments_account_id_symbol", "account_id", "symbol"),
)

locks = Table(
    "locks",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(80)),
    Column("token", Integer, nullable=False),
    Column("lease_until", UtcText),
)

lock_waiters = Table(
    "lock_waiters",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(80), primary_key=True),
    Column("priority", Integer, nullable=False),
    Column("since", UtcText, nullable=False),
    Column("seen_at", UtcText, nullable=False),
)

# ACTIVE, REDUCING or HALTED by scope: global, account:<id>, strategy:<id>
trading_states = Table(
    "trading_states",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("who", String(80), nullable=False),
    Column("why", Text, nullable=False),
    Column("since", UtcText, nullable=False),
)

# The last time something was seen alive or was told to a person.
beacons = Table(
    "beacons",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("at", UtcText, nullable=False),
    Column("data", JsonText),
)
