"""What the sandbox says of itself: its own account of orders, fills, positions and cash."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from scripts.parts.part import PartFailed
from worker.http import Tls, make_client
from worker.models.base import Value


class BookOrder(Value):
    """`status` is the broker's own word."""

    order_id: int
    coid: str | None
    symbol: str
    side: str
    quantity: Decimal
    filled: Decimal
    status: str


class BookFill(Value):
    execution_id: str
    coid: str | None
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal


class Holding(Value):
    symbol: str
    quantity: Decimal
    average_cost: Decimal


class Book(Value):
    orders: tuple[BookOrder, ...]
    fills: tuple[BookFill, ...]
    positions: tuple[Holding, ...]
    cash: Decimal


def read_book(url: str, certificate: Path) -> Book:
    tls = Tls(pinned_certificate=certificate)
    try:
        with make_client(url, tls=tls, timeout_seconds=10) as client:
            return _book(client.get("/sandbox/book").raise_for_status().json())
    except httpx.HTTPError as error:
        raise PartFailed("sandbox", f"the sandbox's book cannot be read: {error}") from None


def _book(data: dict[str, Any]) -> Book:
    return Book(
        orders=tuple(
            BookOrder(
                order_id=one["order_id"],
                coid=one["cOID"],
                symbol=one["symbol"],
                side=one["side"],
                quantity=one["quantity"],
                filled=one["filled"],
                status=one["status"],
            )
            for one in data["orders"]
        ),
        fills=tuple(
            BookFill(
                execution_id=one["execution_id"],
                coid=one["cOID"],
                symbol=one["symbol"],
                side=one["side"],
                quantity=one["quantity"],
                price=one["price"],
            )
            for one in data["fills"]
        ),
        positions=tuple(
            Holding(
                symbol=one["symbol"], quantity=one["quantity"], average_cost=one["average_cost"]
            )
            for one in data["positions"]
        ),
        cash=data["cash"],
    )
