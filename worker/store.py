"""Bulky things under the sha256 of their bytes, in a folder or on S3. Never changed, only added."""

import errno
import hashlib
import json
import os
import re
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic_core import PydanticSerializationError, to_jsonable_python

from worker.errors import ConfigurationError, OpenbellError, StepError, TemporaryError
from worker.lazy import lazy

CONNECT_SECONDS = 3
READ_SECONDS = 10
_PROBE = b"openbell: the store can be written and read\n"
_REF = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


class Store(Protocol):
    """What is put is there, whole, when `put` returns; the same bytes are kept once.

    `get` raises StepError for what is missing or damaged. Either raises TemporaryError where the
    store does not answer, ConfigurationError where a person must mend it.
    """

    def put(self, data: bytes) -> str: ...
    def get(self, ref: str) -> bytes: ...
    def put_json(self, value: Any) -> str: ...
    def get_json(self, ref: str) -> Any: ...
    def probe(self) -> None: ...


def open_store(address: str, s3_endpoint_url: str | None = None) -> Store:
    """The store at a folder's path or at s3://bucket/prefix."""
    parts = urlsplit(address)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise ConfigurationError(f"{address} names no bucket; write s3://bucket/prefix")
        return S3Store(parts.netloc, parts.path.strip("/"), s3_endpoint_url)
    if "://" in address:
        raise ConfigurationError(
            f"the store cannot be at {parts.scheme}://; write a folder's path or s3://bucket/prefix"
        )
    return FolderStore(Path(address))


def canonical_json(value: Any) -> bytes:
    """One text for one value: sorted keys, Decimals as text, times as ISO 8601."""
    try:
        plain = to_jsonable_python(value)
        text = json.dumps(
            plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (PydanticSerializationError, ValueError) as error:
        raise StepError(f"this cannot be kept as JSON: {error}") from None


class _HashedStore(ABC):
    """Names are hashes and hashes are looked at; the places below only move bytes."""

    def put(self, data: bytes) -> str:
        ref = hashlib.sha256(data).hexdigest()
        self._write(ref, data)
        return ref

    def get(self, ref: str) -> bytes:
        if not _REF.fullmatch(ref):
            raise StepError(f"{ref[:80]!r} is not a reference into the store")
        data = self._read(ref)
        if data is None:
            raise StepError(f"{ref[:12]} is missing from the store at {self._place}")
        if hashlib.sha256(data).hexdigest() != ref:
            raise StepError(f"{ref[:12]} is damaged in the store at {self._place}")
        return data

    def put_json(self, value: Any) -> str:
        return self.put(canonical_json(value))

    def get_json(self, ref: str) -> Any:
        try:
            return json.loads(self.get(ref))
        except ValueError:
            raise StepError(f"{ref[:12]} in the store at {self._place} is not JSON") from None

    def probe(self) -> None:
        """Write and read something small. Raises an OpenbellError that says what to mend."""
        self.get(self.put(_PROBE))

    @property
    @abstractmethod
    def _place(self) -> str: ...

    @abstractmethod
    def _write(self, ref: str, data: bytes) -> None: ...

    @abstractmethod
    def _read(self, ref: str) -> bytes | None: ...


class FolderStore(_HashedStore):
    """`ab/cd/abcd...` under one folder. Workers on one machine, or on a shared disk, share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def _place(self) -> str:
        return str(self._folder)

    def _path(self, ref: str) -> Path:
        return self._folder / ref[:2] / ref[2:4] / ref

    def _write(self, ref: str, data: bytes) -> None:
        """A draft is written out to the disk, then renamed: a name never stands for half a file.

        Written again even where it is there: that is how a damaged file is mended.
        """
        path = self._path(ref)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, path)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
            for folder in (path.parent, path.parent.parent, self._folder):
                _sync(folder)
        except OSError as error:
            raise self._unusable("written", error) from None

    def _read(self, ref: str) -> bytes | None:
        try:
            return self._path(ref).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable("read", error) from None

    def _unusable(self, verb: str, error: OSError) -> OpenbellError:
        why = f"the store's folder {self._folder} cannot be {verb}: {error.strerror}"
        if error.errno in _FULL:
            return TemporaryError(why)
        return ConfigurationError(f"{why}; mend it, or set OPENBELL_STORE_URL")


def _sync(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class S3Store(_HashedStore):
    """Objects in one bucket. Keys come from the environment, as boto3 reads them."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None) -> None:
        self._bucket, self._prefix, self._endpoint_url = bucket, prefix, endpoint_url

    @property
    def _place(self) -> str:
        return "/".join(filter(None, ("s3:/", self._bucket, self._prefix)))

    def _key(self, ref: str) -> str:
        return "/".join(filter(None, (self._prefix, ref[:2], ref[2:4], ref)))

    @lazy
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
            # Not every S3 server knows the bucket's name as a host, or the newer checksums.
            s3={"addressing_style": "path" if self._endpoint_url else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        session = boto3.session.Session()
        return session.client(
            "s3",
            endpoint_url=self._endpoint_url,
            region_name=session.region_name or "us-east-1",
            config=config,
        )

    def _write(self, ref: str, data: bytes) -> None:
        self._ask("put_object", Key=self._key(ref), Body=data)

    def _read(self, ref: str) -> bytes | None:
        data: bytes | None = self._ask("get_object", Key=self._key(ref))
        return data

    def _ask(self, operation: str, **arguments: Any) -> Any:
        """One call; the object's bytes where it has any, None where there is no such object."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            answer = getattr(self._client, operation)(Bucket=self._bucket, **arguments)
            return answer["Body"].read() if "Body" in answer else None
        except ClientError as error:
            return self._refused(operation, error.response)
        except NoCredentialsError:
            raise ConfigurationError(
                f"there are no keys for {self._place}; "
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None
        except (BotoCoreError, ValueError, OSError) as error:
            if isinstance(error, ValueError):
                raise ConfigurationError(f"{self._endpoint_url} is no S3 address") from None
            raise TemporaryError(
                f"the store at {self._place} does not answer ({type(error).__name__})"
            ) from None

    def _refused(self, operation: str, response: dict[str, Any]) -> None:
        code = str(response.get("Error", {}).get("Code", "unknown"))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code == "NoSuchKey" or (operation == "get_object" and code == "404"):
            return
        if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
            raise TemporaryError(f"the store at {self._place} does not serve now ({code})")
        raise ConfigurationError(
            f"the store at {self._place} refuses ({code}); "
            "check OPENBELL_STORE_URL, MLFLOW_S3_ENDPOINT_URL and the keys"
        )
