"""The account is the meant one, and paper or live by every signal there is."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import PAPER, failure
from tests.support.sandbox import ACCOUNT
from worker.errors import (
    NotProved,
)  # fmt: skip
from worker.ibkr.client import GatewayReader

ACCOUNTS, SNAPSHOT = "GET /iserver/accounts", "GET /iserver/marketdata/snapshot"
LIVE = "U1234567"


class Nature:
    """What a gateway says of an account; each part can be changed or left out."""

    def __init__(self, gateway: FakeGateway, account: str, paper: bool) -> None:
        self.gateway, self.account = gateway, account
        self.accounts: dict[str, Any] = {
            "accounts": [account], "selectedAccount": account, "isPaper": paper,
            "serverInfo": {"serverName": "Jifz1"},
        }  # fmt: skip
        self.portfolio: Any = [{"accountId": account, "type": "DEMO" if paper else "INDIVIDUAL"}]
        self.login: Any = {"LOGIN_TYPE": 2 if paper else 1}

    def tell(self) -> None:
        self.gateway.says(ACCOUNTS, self.accounts)
        self.gateway.says("GET /portfolio/accounts", self.portfolio)
        self.gateway.says("GET /sso/validate", self.login)


@pytest.fixture
def paper(fake_gateway: FakeGateway) -> Nature:
    return Nature(fake_gateway, PAPER, paper=True)


@pytest.fixture
def live(fake_gateway: FakeGateway) -> Nature:
    return Nature(fake_gateway, LIVE, paper=False)


ALL_PAPER = {"isPaper": "paper", "type": "paper", "account id": "paper", "login": "paper"}


@pytest.mark.parametrize("mode", ["paper", None])
def test_a_paper_account_is_proved_by_every_signal(
    reader: GatewayReader, paper: Nature, mode: Any
) -> None:
    paper.tell()
    proof = reader.prove_account(PAPER, mode)
    assert (proof.kind, proof.signals, proof.sandbox) == ("paper", ALL_PAPER, False)
    assert PAPER not in repr(proof)


@pytest.mark.parametrize("mode", ["live", None])
def test_a_live_account_is_proved_by_every_signal(
    reader: GatewayReader, live: Nature, mode: Any
) -> None:
    live.tell()
    proof = reader.prove_account(LIVE, mode)
    assert (proof.kind, set(proof.signals.values())) == ("live", {"live"})


def test_an_account_of_the_other_nature_is_refused(
    reader: GatewayReader, paper: Nature, live: Nature
) -> None:
    live.tell()
    error = failure(lambda: reader.prove_account(LIVE, "paper"))
    assert (type(error), "the account is live" in error.sentence) == (NotProved, True)
    paper.tell()
    assert type(failure(lambda: reader.prove_account(PAPER, "live"))) is NotProved


def is_live(nature: Nature) -> None:
    nature.accounts["isPaper"] = False


def is_not_said(nature: Nature) -> None:
    del nature.accounts["isPaper"]


def is_a_word(nature: Nature) -> None:
    nature.accounts["isPaper"] = "true"


def type_is_live(nature: Nature) -> None:
    nature.portfolio[0]["type"] = "INDIVIDUAL"


def login_is_live(nature: Nature) -> None:
    nature.login = {"LOGIN_TYPE": 1}


def login_is_live_as_text(nature: Nature) -> None:
    nature.login = {"loginType": "1"}


def not_among_the_accounts(nature: Nature) -> None:
    nature.accounts["accounts"] = ["DU7654321"]


def another_is_selected(nature: Nature) -> None:
    nature.accounts["selectedAccount"] = "DU7654321"


def none_is_selected(nature: Nature) -> None:
    del nature.accounts["selectedAccount"]


def not_in_the_portfolio(nature: Nature) -> None:
    nature.portfolio = [{"accountId": "DU7654321", "type": "DEMO"}]


def empty_portfolio(nature: Nature) -> None:
    nature.portfolio = []


@pytest.mark.parametrize(
    "change",
    [
        is_live, is_not_said, is_a_word, type_is_live, login_is_live, login_is_live_as_text,
        not_among_the_accounts, another_is_selected, none_is_selected, not_in_the_portfolio,
        empty_portfolio,
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["paper", None])
def test_one_signal_that_is_wrong_or_missing_proves_nothing(
    reader: GatewayReader, paper: Nature, mode: Any, change: Callable[[Nature], None]
) -> None:
    change(paper)
    paper.tell()
    assert type(failure(lambda: reader.prove_account(PAPER, mode))) is NotProved


def test_a_live_id_on_a_gateway_that_says_paper_proves_nothing(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    Nature(fake_gateway, LIVE, paper=True).tell()
    assert type(failure(lambda: reader.prove_account(LIVE, "paper"))) is NotProved


def without_login_type(nature: Nature) -> None:
    nature.login = {}


def without_account_type(nature: Nature) -> None:
    del nature.portfolio[0]["type"]


@pytest.mark.parametrize("change", [without_login_type, without_account_type])
def test_a_signal_that_some_gateways_lack_may_be_missing(
    reader: GatewayReader, paper: Nature, change: Callable[[Nature], None]
) -> None:
    change(paper)
    paper.tell()
    assert reader.prove_account(PAPER, "paper").kind == "paper"


@pytest.mark.parametrize("answer", [Said("", 401), Said("", 503), Said("<html>", 200)])
def test_a_login_that_cannot_be_looked_at_proves_nothing(
    reader: GatewayReader, paper: Nature, answer: Said
) -> None:
    paper.login = answer
    paper.tell()
    failure(lambda: reader.prove_account(PAPER, "paper"))


def test_the_sandboxs_account_is_paper_and_the_sandboxs(real: GatewayReader) -> None:
    proof = real.prove_account(ACCOUNT, "paper")
    assert (proof.kind, proof.signals, proof.sandbox) == ("paper", ALL_PAPER, True)
