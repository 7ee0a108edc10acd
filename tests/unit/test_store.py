"""The store keeps whole things, finds them by their hash, and says what is wrong with the rest."""

import hashlib
import resource
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.records import bars
from worker.errors import ConfigurationError, StepError
from worker.store import FolderStore, S3Store, canonical_json, open_store

DATA = b"what the analyst was asked"
REF = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_found_under_its_hash(store: FolderStore, folder: Path) -> None:
    assert store.put(DATA) == REF
    assert store.get(REF) == DATA
    assert files(folder) == [f"{REF[:2]}/{REF[2:4]}/{REF}"]


def test_the_same_bytes_twice_are_kept_once(store: FolderStore, folder: Path) -> None:
    assert store.put(DATA) == store.put(DATA)
    assert len(files(folder)) == 1


def test_many_at_once_put_the_same_and_leave_no_draft(store: FolderStore, folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda _: store.put(DATA), range(40)))
    assert set(refs) == {REF}
    assert len(files(folder)) == 1


def test_what_is_missing_is_said(store: FolderStore, folder: Path) -> None:
    with pytest.raises(StepError) as raised:
        store.get(REF)
    assert raised.value.sentence == f"{REF[:12]} is missing from the store at {folder}"


def test_what_is_damaged_is_refused_and_mended_by_the_next_put(
    store: FolderStore, folder: Path
) -> None:
    store.put(DATA)
    (folder / files(folder)[0]).write_bytes(DATA[:-1])
    with pytest.raises(StepError, match="is damaged in the store"):
        store.get(REF)
    store.put(DATA)
    assert store.get(REF) == DATA


@pytest.mark.parametrize("ref", ["", "../../etc/passwd", REF[:-1], REF.upper(), REF + "\n"])
def test_what_is_no_reference_touches_no_file(store: FolderStore, ref: str) -> None:
    with pytest.raises(StepError, match="is not a reference into the store"):
        store.get(ref)


@contextmanager
def only_short_files() -> Iterator[None]:
    """Writes end in the midst of a file, as on a full disk. No longer than needed: pytest itself
    may be writing to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_ends_half_way_leaves_nothing_behind(store: FolderStore, folder: Path) -> None:
    too_large = pytest.raises(ConfigurationError, match="cannot be written: File too large")
    with too_large, only_short_files():
        store.put(bytes(1000))
    assert files(folder) == []


def test_a_folder_that_is_a_file_is_a_sentence_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FolderStore(tmp_path / "file" / "store")
    with pytest.raises(ConfigurationError, match="mend it, or set OPENBELL_STORE_URL"):
        store.probe()


def test_what_is_kept_is_for_its_owner_alone(store: FolderStore, folder: Path) -> None:
    store.put(DATA)
    assert stat.S_IMODE((folder / files(folder)[0]).stat().st_mode) == 0o600


def test_a_probe_writes_and_reads(store: FolderStore, folder: Path) -> None:
    store.probe()
    assert len(files(folder)) == 1


def test_json_is_one_text_for_one_value() -> None:
    tokyo = timezone(timedelta(hours=9))
    value = {"b": Decimal("1.10"), "a": (datetime(2013, 2, 27, 14, 30, tzinfo=UTC), None, "é")}
    assert canonical_json(value) == ('{"a":["2013-02-27T14:30:00Z",null,"é"],"b":"1.10"}'.encode())
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)
    assert canonical_json(datetime(2013, 2, 27, tzinfo=tokyo)) == b'"2013-02-27T00:00:00+09:00"'


def test_json_comes_back(store: FolderStore) -> None:
    data = [bar.to_json() for bar in bars(3)]
    assert store.get_json(store.put_json(data)) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {"a": b"\xff"}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(StepError, match="cannot be kept as JSON"):
        canonical_json(value)


def test_bytes_that_are_no_json_are_refused_as_such(store: FolderStore) -> None:
    with pytest.raises(StepError, match="is not JSON"):
        store.get_json(store.put(b"{"))


def test_an_address_chooses_the_place(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path), None), FolderStore)
    assert isinstance(open_store("s3://bucket/some/prefix", None), S3Store)


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix", "https://example.org/store"])
def test_an_address_that_leads_nowhere_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(address, None)


def test_without_keys_the_sentence_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = open_store("s3://bucket", "http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        store.put(DATA)
