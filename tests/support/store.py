"""A store that keeps everything in this process."""

import hashlib
import json
from typing import Any


class MemoryStore:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        ref = hashlib.sha256(data).hexdigest()
        self.kept[ref] = data
        return ref

    def get(self, ref: str) -> bytes:
        return self.kept[ref]

    def put_json(self, value: Any) -> str:
        return self.put(json.dumps(value, sort_keys=True).encode())

    def get_json(self, ref: str) -> Any:
        return json.loads(self.get(ref))

    def probe(self) -> None:
        pass
