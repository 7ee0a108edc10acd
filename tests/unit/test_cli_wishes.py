"""What a person asks of a run: the command line and the predecessor's own object."""

from pathlib import Path
from typing import Any

import pytest

from scripts.trigger_wishes import EXAMPLE, Wanted, key_of, read_wishes, slot_of
from worker.errors import ConfigurationError


def wishes(
    strategy: str | None = None,
    symbols: str | None = None,
    dry_run: bool | None = None,
    parameters: tuple[str, ...] = (),
    conf: str | None = None,
) -> Wanted:
    return read_wishes(strategy, symbols, dry_run, parameters, conf)


def refusal(**given: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        wishes(**given)
    return caught.value.sentence


def test_a_strategy_alone_leaves_everything_to_its_file() -> None:
    assert wishes("momentum") == Wanted(strategy="momentum")


def test_every_wish_of_the_command_line_is_read() -> None:
    given = ("lookback=20", "note=buy the dip", "share=0.5", "fast=true", "levels=[1, 2]", "empty=")
    assert wishes("1", "aapl, MSFT", False, given) == Wanted(
        strategy="1",
        symbols=("AAPL", "MSFT"),
        dry_run=False,
        parameters={
            "lookback": 20, "note": "buy the dip", "share": 0.5, "fast": True,
            "levels": [1, 2], "empty": "",
        },
    )  # fmt: skip


def test_a_parameter_that_is_no_number_in_json_stays_text() -> None:
    assert wishes("1", parameters=("a=NaN", "b=Infinity", "c=01", "d={")).parameters == {
        "a": "NaN", "b": "Infinity", "c": "01", "d": "{",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["lookback", "=5", "two words=1", "9lives=1"])
def test_a_parameter_without_a_name_is_refused(text: str) -> None:
    assert refusal(strategy="1", parameters=(text,)) == (
        f"--param {text!r} cannot be read; write NAME=VALUE, such as lookback=20"
    )


def test_a_parameter_given_twice_is_refused() -> None:
    assert refusal(strategy="1", parameters=("a=1", "a=2")) == (
        "--param a is given twice; give it once"
    )


@pytest.mark.parametrize("text", ["", "AAPL,,MSFT", "AAPL,AAPL", ","])
def test_symbols_that_cannot_be_read_are_refused(text: str) -> None:
    assert refusal(strategy="1", symbols=text) == (
        f"--symbols {text!r} cannot be read; write each symbol once, such as AAPL,MSFT"
    )


def test_the_predecessors_object_is_taken_as_it_is() -> None:
    assert wishes(conf=EXAMPLE) == Wanted(
        strategy="1", confirmed=1, symbols=("AAPL",), dry_run=True
    )


def test_an_object_in_a_file_is_the_same(tmp_path: Path) -> None:
    file = tmp_path / "conf.json"
    file.write_text(EXAMPLE)
    assert wishes(conf=str(file)) == wishes(conf=EXAMPLE)


@pytest.mark.parametrize("value", ['"False"', '"false"', "0", "1", '""', '"{{ params.dry_run }}"'])
def test_a_dry_run_that_is_no_truth_value_is_refused(value: str) -> None:
    sentence = refusal(conf=f'{{"strategy_id": 1, "dry_run": {value}}}')
    assert sentence == (
        f"--conf, key dry_run: {value} cannot be used; "
        "write true or false as JSON has them, without quotes"
    )


@pytest.mark.parametrize("key", ["strategy_id", "symbols", "dry_run"])
def test_null_is_refused_for_every_key(key: str) -> None:
    assert refusal(strategy="1", conf=f'{{"{key}": null}}') == (
        f"--conf, key {key}: null cannot be used; null says nothing; leave the key out"
    )


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        (
            '{"strategy_id": 1, "dryrun": true}',
            "--conf, key dryrun: this key is not known; there are strategy_id, symbols, dry_run",
        ),
        (
            '{"strategy_id": "1"}',
            '--conf, key strategy_id: "1" cannot be used; write the strategy\'s number, such as 1',
        ),
        (
            '{"strategy_id": true}',
            "--conf, key strategy_id: true cannot be used; write the strategy's number, such as 1",
        ),
        (
            '{"strategy_id": 1, "symbols": "AAPL"}',
            '--conf, key symbols: "AAPL" cannot be used; write a list of symbols, '
            'such as ["AAPL", "MSFT"]',
        ),
        (
            '{"strategy_id": 1, "symbols": []}',
            "--conf, key symbols: [] cannot be used; write a list of symbols, "
            'such as ["AAPL", "MSFT"]',
        ),
        (
            '{"strategy_id": 1, "symbols": ["AAPL", "AAPL"]}',
            '--conf, key symbols: ["AAPL", "AAPL"] cannot be used; a symbol is listed twice; '
            "list it once",
        ),
        ("[1]", f"--conf is not an object; write one such as '{EXAMPLE}'"),
        (
            "{'strategy_id': 1}",
            "--conf is not JSON (Expecting property name enclosed in double quotes: line 1 "
            f"column 2 (char 1)); write an object such as '{EXAMPLE}'",
        ),
        (
            "no/such/file",
            "--conf no/such/file cannot be read (No such file or directory); write JSON, such as "
            f"'{EXAMPLE}', or the path of a file that holds it",
        ),
    ],
)
def test_an_object_that_is_wrong_is_refused_in_a_sentence(conf: str, sentence: str) -> None:
    assert refusal(conf=conf) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"dry_run": False},
            "--dry-run/--no-dry-run and the key dry_run in --conf contradict each other; "
            "say it once",
        ),
        (
            {"symbols": "MSFT"},
            "--symbols and the key symbols in --conf contradict each other; say it once",
        ),
    ],
)
def test_a_command_line_and_an_object_that_contradict_are_refused(
    given: dict[str, Any], sentence: str
) -> None:
    assert refusal(conf=EXAMPLE, **given) == sentence


def test_a_command_line_that_says_the_same_as_the_object_is_taken() -> None:
    assert wishes("momentum", "AAPL", True, (), EXAMPLE) == Wanted(
        strategy="momentum", confirmed=1, symbols=("AAPL",), dry_run=True
    )


def test_without_a_strategy_anywhere_it_says_where_to_write_one() -> None:
    assert refusal(conf='{"dry_run": true}').startswith("no strategy is named; ")


def test_a_key_and_its_slot_name_each_other() -> None:
    assert slot_of("rebalance-1", "aaaa") == "key:rebalance-1"
    assert key_of("key:rebalance-1") == "rebalance-1"


def test_a_run_without_a_key_has_one_all_the_same() -> None:
    slot = slot_of(None, "aaaa")
    assert slot == "manual:aaaa"
    assert slot_of(key_of(slot), "bbbb") == slot


@pytest.mark.parametrize("key", ["", "two words", "a" * 121, "-x", "ü"])
def test_a_key_that_could_be_misread_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError):
        slot_of(key, "aaaa")
